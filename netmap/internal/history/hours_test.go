package history

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
)

// Hours in which only the server reports an edge add up with those of the client's reports, for one edge.
func TestReportsOfHours(t *testing.T) {
	f := newFake(t)
	crowd{rand.New(rand.NewPCG(1, 0))}.fill(f)
	f.rows[recorded[volume]] = []toldRow{
		counted(3, tagged("client", "a>b", "network_io_direction", "transmit")),
		counted(4, tagged("server", "a>b", "network_io_direction", "transmit")),
		counted(5, tagged("server", "c>b", "network_io_direction", "transmit")),
	}
	for m := attempts; m < metrics; m++ {
		delete(f.rows, recorded[m])
	}
	s := f.source()
	got, err := s.Hours(t.Context(), s.Range(7*day, 0), false)
	if err != nil {
		t.Fatal(err)
	}
	tx := make(map[string]uint64)
	for i := range got.Edges {
		tx[got.Edges[i].Client.Get(names.TagName)] = got.Edges[i].Tx
	}
	if diff := cmp.Diff(map[string]uint64{"a": 7, "c": 5}, tx); diff != "" || len(got.Edges) != 2 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
