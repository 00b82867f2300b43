package history

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// begins returns a want: a tag of an end begins with a text.
func begins(side string, tag names.Tag, text string) snap.Want {
	return snap.Want{Client: side != "server", Server: side != "client", Tag: tag, Holds: func(v edge.Value) bool {
		return strings.HasPrefix(v.Folded(), text)
	}}
}

// Wants narrow the queries to the values that the store has. Where that might leave out one report of an edge, or an end
// without the label, they do not.
func TestNarrowedQueries(t *testing.T) {
	f := newFake(t)
	f.rows["netconn_edge_io_bytes_total"] = []toldRow{
		counted(1, tagged("client", "web.1>db")), counted(1, tagged("client", "Web-2>db")), counted(1, tagged("client", "job>web.1")),
	}
	client, server := `client_name=~"Web-2|web\\.1"`, `server_name=~"web\\.1"`
	for name, tt := range map[string]struct {
		wants []snap.Want
		want  []string // matchers of the alternatives
	}{
		"nothing":              {nil, []string{""}},
		"of the client":        {[]snap.Want{begins("client", names.TagName, "web")}, []string{client}},
		"of a workload":        {[]snap.Want{begins("client", names.TagWorkload, "web")}, []string{client}},
		"of either end":        {[]snap.Want{begins("", names.TagName, "web")}, []string{client, server}},
		"of both ends":         {[]snap.Want{begins("client", names.TagName, "web"), begins("server", names.TagName, "web")}, []string{client + "," + server}},
		"no value":             {[]snap.Want{begins("client", names.TagName, "x")}, []string{`client_name="",client_name!=""`}},
		"also without a label": {[]snap.Want{begins("client", names.TagName, "")}, []string{""}},
		"of a tag of one end":  {[]snap.Want{begins("client", names.TagZone, "web")}, []string{""}},
	} {
		s := f.source()
		f.queries = nil
		if _, err := s.Snapshot(t.Context(), s.Range(300, 0), tt.wants...); err != nil {
			t.Fatal(err)
		}
		for _, q := range f.queries {
			_, query, is := strings.Cut(q, "/query ")
			if !is || !strings.Contains(query, "max_over_time") {
				continue
			}
			var got []string
			for _, one := range strings.Split(query, " or sum by") {
				_, one, _ = strings.Cut(one, `"netconn_edge_io_bytes_total"`)
				one, _, _ = strings.Cut(one, "}")
				got = append(got, strings.TrimPrefix(one, ","))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// An edge of a new namespace is new, where the store has others of the day before. In a new store nothing is.
func TestNewEdgesOfANarrowedSnapshot(t *testing.T) {
	for _, old := range []bool{true, false} {
		f := newFake(t)
		f.rows["netconn_edge_io_bytes_total"] = []toldRow{counted(1, tagged("client", "web>db"))}
		f.rows["netconn_edge_active"] = []toldRow{counted(1, tagged("client", "web>db"))}
		f.only = "count("
		if old {
			f.rows["before"] = []toldRow{counted(9, nil)}
		}
		s := f.source()
		answer, err := s.Snapshot(t.Context(), s.Range(300, 0), begins("client", names.TagName, "web"))
		if err != nil || len(answer.Edges) != 1 || answer.Edges[0].Fresh != old {
			t.Errorf("%v, %+v, want new: %t", err, answer, old)
		}
	}
}
