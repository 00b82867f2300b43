package dns

import (
	"strings"
	"testing"
)

func named(labels ...string) *Name {
	var n Name
	for _, l := range labels {
		n.add(append([]byte{byte(len(l))}, l...))
	}
	return &n
}

func TestNameString(t *testing.T) {
	for want, n := range map[string]*Name{
		".":                     named(),
		"example.com":           named("EXAMPLE", "com"),
		"_sip._udp.a-1.org":     named("_sip", "_udp", "A-1", "org"),
		`a\046b.c\032d.\000`:    named("a.b", "c d", "\x00"),
		`\195\188.\255`:         named("ü", "\xff"),
		"*.example.com":         named("*", "Example", "COM"),
		strings.Repeat("a", 63): named(strings.Repeat("A", 63)),
	} {
		if got := n.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// A name of 255 bytes is the longest, with the root's.
func TestNameLength(t *testing.T) {
	n := named(strings.Repeat("a", 63), strings.Repeat("b", 63), strings.Repeat("c", 63))
	if n.add(append([]byte{62}, strings.Repeat("d", 62)...)) {
		t.Error("a name of 256 bytes is taken")
	}
	if !n.add(append([]byte{61}, strings.Repeat("d", 61)...)) {
		t.Error("a name of 255 bytes is refused")
	}
	if n.add([]byte{1, 'e'}) {
		t.Error("a name of 257 bytes is taken")
	}
}

func TestDomain(t *testing.T) {
	for name, want := range map[string]string{
		"www.example.com":                   "example.com",
		"a.b.example.co.uk":                 "example.co.uk",
		"example.com":                       "example.com",
		"com":                               "com",
		"co.uk":                             "co.uk",
		"reviews":                           "reviews",
		".":                                 ".",
		"reviews.default.svc.cluster.local": "cluster.local",
		"7.113.0.203.in-addr.arpa":          "in-addr.arpa",
		"8.b.d.0.1.0.0.2.ip6.arpa":          "ip6.arpa",
		"in-addr.arpa":                      "in-addr.arpa",
		"bucket.s3.eu-west-1.amazonaws.com": "bucket.s3.eu-west-1.amazonaws.com",
		`a\046b.example.com`:                "example.com",
		`..example.com`:                     "..example.com",
	} {
		if got := Domain(name); got != want {
			t.Errorf("%s is in %s, want %s", name, got, want)
		}
	}
}

// FuzzDomain: a domain is the end of its name, and its own domain.
func FuzzDomain(f *testing.F) {
	f.Add("www.example.com")
	f.Add("..")
	f.Add("x.in-addr.arpa")
	f.Fuzz(func(t *testing.T, name string) {
		domain := Domain(name)
		if !strings.HasSuffix(name, domain) || Domain(domain) != domain {
			t.Fatalf("%q is in %q, which is in %q", name, domain, Domain(domain))
		}
	})
}
