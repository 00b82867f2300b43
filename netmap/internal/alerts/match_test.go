package alerts

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// documented returns the rules as docs/netmap.md has them, the most exact first.
func documented(t *testing.T) (tags []names.Tag, labels map[names.Tag][]string) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/netmap.md")
	if err != nil {
		t.Fatal(err)
	}
	labels = make(map[names.Tag][]string)
	code := regexp.MustCompile("`([^`]+)`")
	for _, row := range regexp.MustCompile(`(?m)^\| \d \| (.*) \| (.*) \|$`).FindAllStringSubmatch(string(page), -1) {
		tag, known := names.ParseTag(code.FindStringSubmatch(row[1])[1])
		if !known {
			t.Fatalf("the page has a rule of %s, which is no tag", row[1])
		}
		tags = append(tags, tag)
		for _, label := range code.FindAllStringSubmatch(row[2], -1) {
			labels[tag] = append(labels[tag], label[1])
		}
	}
	return tags, labels
}

func aboutLabels(t *testing.T, labels map[string]string) About {
	t.Helper()
	return newAlert(received{labels: labels}, usual(t), "").About
}

// Each label of the page decides without others, and the first row of two decides if an alert has labels of both.
func TestTheRulesOfThePage(t *testing.T) {
	tags, labels := documented(t)
	var want []names.Tag
	for _, rule := range defaults {
		want = append(want, rule.tags[0])
	}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Fatalf("the rows of the page (-code +page):\n%s", diff)
	}
	for i, tag := range tags {
		for _, label := range labels[tag] {
			if got := aboutLabels(t, map[string]string{label: "x"}); got != (About{tag.String(), "x"}) {
				t.Errorf("%s is about %+v, and the page says %s", label, got, tag)
			}
			for _, later := range tags[i+1:] {
				got := aboutLabels(t, map[string]string{label: "x", labels[later][0]: "y"})
				if got.Tag != tag.String() {
					t.Errorf("%s and %s are about %+v, want %s", label, labels[later][0], got, tag)
				}
			}
		}
		got := aboutLabels(t, map[string]string{labels[tag][0]: "first", labels[tag][len(labels[tag])-1]: "last"})
		if len(labels[tag]) > 1 && got.Value != "first" {
			t.Errorf("two labels of %s are about %+v, want that of the first", tag, got)
		}
	}
}

// Two maps in one collector have rules of their own.
func TestRulesAreNotShared(t *testing.T) {
	before := fmt.Sprint(usual(t))
	for tag := range names.Tags {
		if _, err := NewRules(map[string][]string{tag.String(): {"mine"}}); err != nil {
			t.Errorf("%s: %v", tag, err)
		}
	}
	if after := fmt.Sprint(usual(t)); after != before {
		t.Errorf("the rules of another map changed to\n%s, from\n%s", after, before)
	}
}

// A tag outside the table decides before the namespace, and after all others.
func TestTheOrderOfAnAddedTag(t *testing.T) {
	r, err := NewRules(map[string][]string{"zone": {"az"}, "region": {"area"}})
	if err != nil {
		t.Fatal(err)
	}
	for labels, want := range map[string]string{
		"az=1,namespace=2": "zone", "az=1,container=2": "container", "az=1,node=2": "node", "area=1,namespace=2": "region",
	} {
		a := newAlert(received{labels: pairs(labels)}, r, "")
		if a.About.Tag != want {
			t.Errorf("%s: about %+v, want %s", labels, a.About, want)
		}
	}
}

// pairs reads name=value,name=value.
func pairs(text string) map[string]string {
	labels := make(map[string]string)
	for _, pair := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(pair, "=")
		labels[name] = value
	}
	return labels
}

// An alert about a service finds ends by the service or by the name, each alert once.
func TestServicesAndNames(t *testing.T) {
	s := NewSet(Status{}, []Alert{
		newAlert(received{labels: pairs("service=web,alertname=a")}, usual(t), ""),
		newAlert(received{labels: pairs("service_name=web,alertname=b")}, usual(t), ""),
	})
	for _, tt := range []struct {
		tags map[names.Tag]string
		want int
	}{
		{map[names.Tag]string{names.TagService: "web"}, 2},
		{map[names.Tag]string{names.TagName: "web"}, 2},
		{map[names.Tag]string{names.TagService: "web", names.TagName: "web"}, 2},
		{map[names.Tag]string{names.TagService: "db", names.TagName: "web"}, 2},
		{map[names.Tag]string{names.TagWorkload: "web"}, 0},
		{nil, 0},
	} {
		if got := s.Of(end(tt.tags)); len(got) != tt.want || !slices.IsSorted(got) {
			t.Errorf("%v: alerts %v, want %d", tt.tags, got, tt.want)
		}
	}
}

// The values of the labels and of the tags of an end are cut at the same length, so that they stay equal.
func TestLongValues(t *testing.T) {
	long := strings.Repeat("w", 500)
	s := NewSet(Status{}, []Alert{newAlert(received{labels: map[string]string{"pod": long, "namespace": long}}, usual(t), "")})
	e := end(map[names.Tag]string{names.TagPod: long, names.TagNamespace: long})
	if len(s.Of(e)) != 1 {
		t.Error("an alert about a pod with a long name is not found")
	}
}

// matches is [Set.Of] for one alert, without an index.
func matches(a *Alert, e *edge.End) bool {
	return slices.ContainsFunc(a.target.tags, func(tag names.Tag) bool {
		return e.Has(tag) && e[tag] == a.target.value
	}) && !slices.ContainsFunc(a.target.contexts, func(c pair) bool { return e.Has(c.tag) && e[c.tag] != c.value })
}

// The index finds what a look at each alert finds, in the same order.
func TestTheIndexFindsAll(t *testing.T) {
	tags, labels := documented(t)
	random := rand.New(rand.NewPCG(1, 2))
	value := func() string { return fmt.Sprint(random.IntN(3)) }
	var all []Alert
	for i := range 300 {
		sent := map[string]string{"alertname": fmt.Sprint(i)}
		for range 1 + random.IntN(3) {
			of := labels[tags[random.IntN(len(tags))]]
			sent[of[random.IntN(len(of))]] = value()
		}
		all = append(all, newAlert(received{labels: sent, state: State(i % 2)}, usual(t), ""))
	}
	s, found := NewSet(Status{}, all), 0
	for range 300 {
		e := make(map[names.Tag]string)
		for _, tag := range slices.Concat(tags, []names.Tag{names.TagName, names.TagHost, names.TagCluster}) {
			if random.IntN(2) == 0 {
				e[tag] = value()
			}
		}
		var want []int
		for i := range s.Alerts {
			if matches(&s.Alerts[i], end(e)) {
				want = append(want, i)
			}
		}
		found += len(want)
		if diff := cmp.Diff(want, s.Of(end(e))); diff != "" {
			t.Fatalf("alerts about %v (-want +got):\n%s", slices.Sorted(maps.Values(e)), diff)
		}
	}
	if found < 1000 {
		t.Errorf("the ends have %d alerts, too few for a test", found)
	}
}
