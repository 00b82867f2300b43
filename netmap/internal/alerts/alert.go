package alerts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/netconn/netconn/netmap/internal/edge"
)

const (
	maxLabels = 40
	maxText   = 400  // bytes of a summary
	maxURL    = 2000 // bytes; a longer link would be cut into another one
	maxLinks  = 5
)

// State is how far an alert is.
type State uint8

// The states. Alertmanager has no pending alerts.
const (
	Pending State = iota
	Firing
)

func (s State) String() string { return [...]string{"pending", "firing"}[s] }

// MarshalText writes the state into JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Alert is one alert, cut to the limits of this package.
type Alert struct {
	ID       string            `json:"id"` // of its labels
	Name     string            `json:"name"`
	State    State             `json:"state"`
	Severity string            `json:"severity"`
	Summary  string            `json:"summary"`
	Since    float64           `json:"since"` // Unix seconds; 0: unknown
	Labels   map[string]string `json:"labels"`
	Links    []Link            `json:"links"`
	About    About             `json:"about"`

	target target
}

// About is the tag and the value by which an alert is matched with ends; empty: with none.
type About struct {
	Tag   string `json:"tag"`
	Value string `json:"value"`
}

// Link leads to a page about an alert.
type Link struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// newAlert cuts an alert to the limits. The target follows from all of its labels.
func newAlert(r received, rules *Rules, page string) Alert {
	a := Alert{
		Name: text(r.labels["alertname"]), State: r.state, Severity: text(r.labels["severity"]),
		Summary: cut(cmp.Or(r.annotations["summary"], r.annotations["description"], r.annotations["message"]), maxText),
		Since:   seconds(r.since), Labels: make(map[string]string), Links: []Link{}, target: rules.target(r.labels),
	}
	a.About = a.target.about()
	id := fnv.New64a()
	for i, name := range slices.Sorted(maps.Keys(r.labels)) {
		fmt.Fprintf(id, "%q=%q,", name, r.labels[name])
		if i < maxLabels {
			a.Labels[text(name)] = text(r.labels[name])
		}
	}
	a.ID = fmt.Sprintf("%016x", id.Sum64())
	for _, name := range slices.Sorted(maps.Keys(r.annotations)) {
		if title, is := strings.CutSuffix(name, "_url"); is {
			a.link(title, r.annotations[name])
		}
	}
	a.link("source", r.generator)
	a.link("alerts", page)
	return a
}

// link adds a link if a browser may follow it.
func (a *Alert) link(name, address string) {
	if len(a.Links) < maxLinks && followed(address) {
		a.Links = append(a.Links, Link{text(name), address})
	}
}

// followed reports whether an address is one of the web. Annotations are templates over labels, and workloads choose
// their own labels: javascript: in a link would run in the page.
func followed(address string) bool {
	if len(address) > maxURL {
		return false
	}
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func text(s string) string { return edge.Text(s).String() }

// cut returns at most so many bytes of a text, without half a rune.
func cut(s string, most int) string {
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// compare sorts the firing alerts before the pending ones, then by severity and name.
func compare(a, b Alert) int {
	return cmp.Or(
		cmp.Compare(b.State, a.State), cmp.Compare(rank(a.Severity), rank(b.Severity)),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID),
	)
}

// rank returns the place of a severity. There is no list of them; these are the usual ones.
func rank(severity string) int {
	for i, known := range [...][]string{
		{"critical", "page", "error", "high"}, {"warning", "ticket", "medium"}, {"info", "low", "none"},
	} {
		if slices.Contains(known, strings.ToLower(severity)) {
			return i
		}
	}
	return 1 // as a warning
}

// fingerprint returns a text that differs if what is shown of the alerts differs.
func fingerprint(all []Alert) string {
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(all) // a hash takes all
	return fmt.Sprintf("%x", h.Sum64())
}
