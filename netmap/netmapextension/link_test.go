package netmapextension

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
)

func linkWith(placeholder string) *LinkConfig {
	return &LinkConfig{Name: "l", Kind: "other", URL: "https://x.example/?v={" + placeholder + "}&f={from}"}
}

func wantNeeded(t *testing.T, attribute string) {
	t.Helper()
	l := linkWith(attribute)
	if err := l.validate(); err != nil {
		t.Errorf("%s: %v", l.URL, err)
	}
	if diff := cmp.Diff([]string{attribute}, l.needs()); diff != "" {
		t.Errorf("%s needs (-want +got):\n%s", l.URL, diff)
	}
}

// A link may use each attribute that an end can have, of its own end and of all others, and each of an edge.
func TestLinksUseAttributes(t *testing.T) {
	for tag := range names.Tags {
		for _, prefix := range []string{"", "client.", "server.", "peer."} {
			wantNeeded(t, prefix+tag.Attribute())
		}
	}
	for tag := range names.EdgeTags {
		wantNeeded(t, tag.Attribute())
	}
	wantNeeded(t, "network.peer.port")
}

func TestLinksUseNothingElse(t *testing.T) {
	for _, name := range []string{
		"pod", "", "k8s.pod.name ", "port", "client.server.port", "peer.network.transport", "peer.peer.service.name", "server.",
		"client.from", "from_ns",
	} {
		if err := linkWith(name).validate(); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

// The time is always known.
func TestLinksNeedNoTime(t *testing.T) {
	l := &LinkConfig{
		Name: "Traces", Kind: "traces",
		URL: "https://j.example/?service={peer.service.name}&start={from_us}&end={to_us}&s={from_s}-{to_s}&ms={from}-{to}",
	}
	if err := l.validate(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"peer.service.name"}, l.needs()); diff != "" {
		t.Errorf("needs (-want +got):\n%s", diff)
	}
	l.URL = "https://j.example/?start={from_us}"
	if needed := l.needs(); needed == nil || len(needed) != 0 {
		t.Errorf("a link with the time alone needs %#v, want an empty list, as the page reads it", needed)
	}
}
