//go:build linux

package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testcluster"
)

// table is what the map's API answers to /flows.
type table struct {
	Client, Server [][]string
	Tx, Rx         []int64
}

// wantMap checks that the map, opened as docs/kubernetes.md says, has each edge that the applications have counted once
// and to the byte, whichever ends it is of.
func (b *backend) wantMap(t *testing.T, n *testcluster.Node) {
	t.Helper()
	n.Forward("netconn", "deployment/netconn-map", "19466")
	want := make(map[edge][2]int64)
	for e, bytes := range counted(t, journal) {
		if e.Role == "client" {
			want[e] = bytes
		}
	}
	diff, last := "", map[edge][2]int64(nil)
	if err := harness.Until(deadline, "the map to agree", func() bool {
		time.Sleep(time.Second)
		got, err := mapped()
		last, diff = got, cmp.Diff(want, got)
		if err != nil {
			diff = err.Error()
		}
		return diff == ""
	}); err != nil {
		b.differs(t, "edges of the map", diff, want, last)
	}
}

// mapped returns the edges that the map has seen in an hour.
func mapped() (map[edge][2]int64, error) {
	const tags = "workload,container,image.tag,zone"
	q := url.Values{"window": {"3600"}, "clients": {tags}, "servers": {tags}, "filter": {"namespace=shop"}, "limit": {"1000"}, "spark": {"none"}}
	answer, err := http.Get("http://127.0.0.1:19466/api/v1/flows?" + q.Encode())
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var rows table
	if err := json.NewDecoder(answer.Body).Decode(&rows); err != nil {
		return nil, fmt.Errorf("%s: %w", answer.Status, err)
	}
	edges := make(map[edge][2]int64)
	for i := range rows.Client {
		if rows.Tx[i] == 0 && rows.Rx[i] == 0 {
			continue // only attempts that failed
		}
		e := edge{"client", mappedEnd(rows.Client[i]), mappedEnd(rows.Server[i])}
		if _, twice := edges[e]; twice {
			return nil, fmt.Errorf("%v is there twice", e)
		}
		edges[e] = [2]int64{rows.Tx[i], rows.Rx[i]}
	}
	return edges, nil
}

// mappedEnd names an end as the applications do.
func mappedEnd(tags []string) string {
	return fmt.Sprintf("%s/%s:%s in %s", pod(tags[0]), tags[1], tags[2], tags[3])
}
