package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rendered returns the JSON of all dashboards, by the names of their files.
func rendered(t *testing.T) map[string][]byte {
	t.Helper()
	texts := make(map[string][]byte)
	for name, builder := range all() {
		text, err := render(builder)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		texts[name] = text
	}
	return texts
}

// What is committed is what the program writes, and nothing else.
func TestCommitted(t *testing.T) {
	const directory = "../../../deploy/observe/dashboards"
	texts := rendered(t)
	for name, text := range texts {
		committed, err := os.ReadFile(filepath.Join(directory, name+".json"))
		if err != nil || !bytes.Equal(committed, text) {
			t.Errorf("%s.json is not what `make generate` writes (%v)", name, err)
		}
	}
	files, err := os.ReadDir(directory)
	if err != nil || len(files) != len(texts) {
		t.Errorf("%d files, want %d (%v)", len(files), len(texts), err)
	}
}

// The uid of a dashboard, which links name, is that of its file. Links lead to dashboards that there are, and set
// variables that these have.
func TestLinks(t *testing.T) {
	texts := rendered(t)
	target := regexp.MustCompile(`/d/netconn-([a-z]+)\?([^"]*)`)
	variable := regexp.MustCompile(`var-([a-z]+)=`)
	for name, text := range texts {
		if !bytes.Contains(text, []byte(`"uid": "netconn-`+name+`"`)) {
			t.Errorf("%s has another uid", name)
		}
		for _, link := range target.FindAllSubmatch(text, -1) {
			other, found := texts[string(link[1])]
			if !found {
				t.Errorf("%s has a link to %s, which there is not", name, link[1])
			}
			for _, v := range variable.FindAllSubmatch(link[2], -1) {
				if !bytes.Contains(other, []byte(`"name": "`+string(v[1])+`"`)) {
					t.Errorf("%s sets %s of %s, which has no such variable", name, v[1], link[1])
				}
			}
		}
	}
}

// A laidOut is what a dashboard says of its panels.
type laidOut struct {
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ H, W, X, Y int }
		Targets []struct{ RefID string }
	}
}

// No panel lies on another, none is outside of the grid, and each has an id and a name that no other of its dashboard has.
func TestLayout(t *testing.T) {
	for name, text := range rendered(t) {
		var d laidOut
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		cells, ids, titles := make(map[[2]int]string), make(map[int]string), make(map[string]bool)
		for _, p := range d.Panels {
			if ids[p.ID] != "" || titles[p.Title] || p.Title == "" {
				t.Errorf("%s: %q has the id or the title of another", name, p.Title)
			}
			ids[p.ID], titles[p.Title] = p.Title, true
			if p.GridPos.X+p.GridPos.W > wide {
				t.Errorf("%s: %q is outside of the grid", name, p.Title)
			}
			for x := range p.GridPos.W {
				for y := range p.GridPos.H {
					cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
					if cells[cell] != "" {
						t.Fatalf("%s: %q lies on %q", name, p.Title, cells[cell])
					}
					cells[cell] = p.Title
				}
			}
		}
	}
}

// The schema refuses what Grafana would silently ignore.
func TestSchema(t *testing.T) {
	text := rendered(t)["edge"]
	for what, change := range map[string][2]string{
		"a key that there is not in a dashboard": {`"uid": "netconn-edge",`, `"uid": "netconn-edge", "netconn": 1,`},
		"a key that there is not in a panel":     {`"graphMode": "area",`, `"graphMode": "area", "netconn": 1,`},
		"a key that there is not in a query":     {`"instant": false,`, `"instant": false, "netconn": 1,`},
		"a panel that lacks an option":           {`"colorMode": "none",`, ``},
		"a name of another type":                 {`"title": "netconn / Edge"`, `"title": 1`},
	} {
		if !bytes.Contains(text, []byte(change[0])) {
			t.Fatalf("%s is not there", change[0])
		}
		if check([]byte(strings.Replace(string(text), change[0], change[1], 1))) == nil {
			t.Errorf("%s is not refused", what)
		}
	}
	if err := check(text); err != nil {
		t.Error(err)
	}
}

func TestQueries(t *testing.T) {
	for want, got := range map[string]string{
		`m{a="1", b="2"}`: where("m", `a="1"`, "", `b="2"`),
		`sum by (a, b) (rate(m[$__rate_interval]))`:                        rate("a, b", "m"),
		`topk(3, sum by (a) (m))`:                                          top(3, total("a", "m")),
		`histogram_quantile(0.5, sum by (le) (rate(m[$__rate_interval])))`: quantile(0.5, "", "m"),
		`histogram_quantile(0.99, sum by (a, b, le) (rate(m{c="d"}[$__rate_interval])))`: quantile(0.99,
			"a, b", where("m", `c="d"`)),
		`sum by () (rate(m[$__rate_interval])) / (sum by () (rate(n[$__rate_interval])) > 0)`: ratio(rate("", "m"),
			rate("", "n")),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
