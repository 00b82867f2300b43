package filter

import (
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// raw are attributes as texts.
type raw map[string]string

func (r raw) get(key string) (string, bool) {
	v, ok := r[key]
	return v, ok
}

// sample is an edge: productpage in prod, zone a, calls payments in dev, zone b, on 10.1.2.3:8443.
func sample() (*edge.End, *edge.End, *edge.Link) {
	resource := raw{
		"k8s.namespace.name": "prod", "k8s.deployment.name": "productpage", "k8s.pod.name": "productpage-1",
		"cloud.availability_zone": "a", "k8s.container.name": `we"ird, name`,
	}
	point := raw{
		"netconn.role": "client", "netconn.peer.scope": "remote", "server.port": "8443", "netconn.nat": "dnat",
		"netconn.original_destination.name": "payments.dev", "netconn.peer.type": "pod", "netconn.peer.name": "Payments",
		"netconn.peer.k8s.namespace.name": "dev", "netconn.peer.zone": "b", "server.address": "10.1.2.3",
	}
	local, peer, link := edge.ReadLocal(resource.get), edge.ReadPeer(point.get), edge.ReadLink(point.get)
	edge.ReadAddresses(point.get, link.Role, &local, &peer)
	return &local, &peer, &link
}

// matches are filters, and whether the sample matches.
var matches = map[string]bool{
	"":                                      true,
	"   ":                                   true,
	"client.namespace=prod":                 true,
	"client.namespace=PROD":                 true,
	"client.namespace=dev":                  false,
	"namespace=dev":                         true,
	"namespace=test":                        false,
	"namespace=test,dev":                    true,
	"namespace!=dev":                        false,
	"namespace!=test":                       true,
	"server.zone!=a":                        true,
	"client.zone!=a":                        false,
	"server.region!=a":                      true, // it has none
	"server.region=":                        true,
	"server.zone=":                          false,
	"client.workload=product*":              true,
	"client.workload=*page":                 true,
	"client.workload=p*d*g*":                true,
	"client.workload=p*x*":                  false,
	"client.workload=*":                     true,
	"server.workload=*":                     true, // also nothing
	"server.address=10.0.0.0/8":             true,
	"server.address=10.1.2.3":               true,
	"server.address=11.0.0.0/8,10.1.2.0/24": true,
	"server.address=11.0.0.0/8":             false,
	"server.address=10.1.*":                 true,
	"client.address=10.0.0.0/8":             false,
	"client.address=0.0.0.0/0":              false, // it has none
	"port=8443":                             true,
	"server.port=8443":                      true,
	"port=8*":                               true,
	"port!=443":                             true,
	"nat=dnat scope=remote role=client":     true,
	"original=payments*":                    true,
	"client.kind=internal":                  true,
	"kind=external":                         false,
	"*pay*":                                 true,
	"pay":                                   true,
	"PAY":                                   true,
	"8443":                                  true,
	"nothing":                               false,
	"!nothing":                              true,
	"!*pay*":                                false,
	"-pay":                                  false,
	"-port=80":                              true,
	"!port!=8443":                           true,
	`client.container="we\"ird, name"`:      true,
	`client.container="we\"ird, NAME"`:      true,
	`client.container="we*"`:                false, // literal
	`"productpage"`:                         true,
	`"product"`:                             false, // literal, so all of a value
	`client.namespace="prod",test`:          true,
	"client.namespace=prod server.zone!=a *pay*":                                   true,
	"client.namespace=prod server.zone!=b *pay*":                                   false,
	strings.TrimSpace(strings.Repeat("port=8443 ", MaxTerms)):                      true,
	"port=" + strings.TrimSuffix(strings.Repeat("1,", MaxValues-1), ",") + ",8443": true,
}

func TestMatch(t *testing.T) {
	c, s, l := sample()
	for text, want := range matches {
		f, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := f.Matcher().Match(c, s, l); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// Whatever is typed: no panic, an offset within the text, and a term's negation lets the others through.
// end is an end with one tag.
func end(t testing.TB, name, value string) *edge.End {
	t.Helper()
	tag, ok := names.ParseTag(name)
	if !ok {
		t.Fatalf("no tag %q", name)
	}
	var e edge.End
	e[tag] = edge.Text(value)
	return &e
}

func TestRangesOfAddresses(t *testing.T) {
	for text, tt := range map[string]struct{ inside, outside []string }{
		"10.0.0.0/8":         {[]string{"10.1.2.3", "::ffff:10.1.2.3"}, []string{"11.0.0.1", "::1", "nonsense", "", "10.1.2.3/32"}},
		"10.1.2.3":           {[]string{"10.1.2.3", "::ffff:10.1.2.3"}, []string{"10.1.2.30", "10.1.2.2", "10.1.2.4"}},
		"10.1.2.3/8":         {[]string{"10.200.0.1"}, []string{"11.1.2.3"}}, // the host bits do not matter
		"2001:db8::/32":      {[]string{"2001:db8::1", "2001:0DB8:0:0::1"}, []string{"2001:db9::1", "32.1.13.184"}},
		"fe80::1%eth0":       {[]string{"fe80::1", "fe80::1%eth1"}, []string{"fe80::2"}},
		"0.0.0.0/0":          {[]string{"1.2.3.4", "::ffff:1.2.3.4"}, []string{"::1", ""}},
		"::1,127.0.0.0/8":    {[]string{"::1", "127.0.0.53"}, []string{"128.0.0.1"}},
		`"10.0.0.0/8"`:       {[]string{"10.0.0.0/8"}, []string{"10.1.2.3"}}, // literal
		"10.*":               {[]string{"10.1.2.3"}, []string{"110.1.2.3"}},
		"10.0.0.0/8,payment": {[]string{"10.1.2.3", "payment", "PAYMENT"}, []string{"payments"}},
	} {
		f, err := Parse("server.address=" + text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		check := func(address string, want bool) {
			if got := f.Matcher().Match(new(edge.End), end(t, "address", address), new(edge.Link)); got != want {
				t.Errorf("%q in %s: %v, want %v", address, text, got, want)
			}
		}
		for _, a := range tt.inside {
			check(a, true)
		}
		for _, a := range tt.outside {
			check(a, false)
		}
	}
	// A name that is written like an address is none: only the tag address has ranges.
	f, _ := Parse("server.name=10.0.0.0/8")
	if f.Matcher().Match(new(edge.End), end(t, "name", "10.1.2.3"), new(edge.Link)) {
		t.Error("a name is compared with a range of addresses")
	}
}

func TestWildcards(t *testing.T) {
	for pattern, tt := range map[string]struct{ yes, no []string }{
		"a*":     {[]string{"a", "ab", "A"}, []string{"ba", ""}},
		"*a":     {[]string{"a", "ba"}, []string{"ab"}},
		"*a*":    {[]string{"a", "bab"}, []string{"bb"}},
		"a*b":    {[]string{"ab", "axb", "abab"}, []string{"a", "b", "ba", "abx"}},
		"a*a":    {[]string{"aa", "aba"}, []string{"a"}}, // one letter is not both ends
		"*a*b*":  {[]string{"ab", "xaxbx"}, []string{"ba"}},
		"a*b*c":  {[]string{"abc", "axbxc", "abbc"}, []string{"acb", "abxbcx"}},
		"*ab*b*": {[]string{"abb", "abxb"}, []string{"ab"}}, // a part begins behind the one before
		"**":     {[]string{"", "a"}, nil},
		"Ab*C":   {[]string{"abc", "ABxc"}, []string{"abx"}},
	} {
		f, err := Parse("client.pod=" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range tt.yes {
			if !f.Matcher().Match(end(t, "pod", v), new(edge.End), new(edge.Link)) {
				t.Errorf("%s does not match %q", pattern, v)
			}
		}
		for _, v := range tt.no {
			if f.Matcher().Match(end(t, "pod", v), new(edge.End), new(edge.Link)) {
				t.Errorf("%s matches %q", pattern, v)
			}
		}
	}
}

// Only the case of ASCII letters is ignored: a letter of another alphabet is another one.
func TestCase(t *testing.T) {
	for pattern, want := range map[string]bool{
		"GRÖSSE": true, "grÖsse": true, "grösse": false, "größe": false, "GRÖ*": true, "grö*": false, "G*Ö*": true,
	} {
		f, err := Parse("client.pod=" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Matcher().Match(end(t, "pod", "grÖsse"), new(edge.End), new(edge.Link)); got != want {
			t.Errorf("%s: %v, want %v", pattern, got, want)
		}
	}
	for pattern, value := range map[string]string{"[": "{", "@": "`", "{": "["} {
		f, _ := Parse("client.pod=" + pattern)
		if f.Matcher().Match(end(t, "pod", value), new(edge.End), new(edge.Link)) {
			t.Errorf("%s matches %s: characters beside the letters are folded", pattern, value)
		}
	}
}

func TestKinds(t *testing.T) {
	public, pod := end(t, "type", "public"), end(t, "type", "pod")
	for text, want := range map[string]bool{
		"client.kind=internal": true, "client.kind=external": false, "server.kind=external": true, "kind=other": false,
		"kind=external,other": true, "server.kind=EXT*": true, "kind!=unresolved": true,
	} {
		f, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Matcher().Match(pod, public, new(edge.Link)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// The limits themselves are accepted.
// Each tag of an end and of an edge can be asked for, on the side that it is of.
func TestEveryTagCanBeAskedFor(t *testing.T) {
	for tag := range names.Tags {
		e, none := end(t, tag.String(), "x"), new(edge.End)
		for text, want := range map[string][2]bool{ // as the client, as the server
			tag.String() + "=x": {true, true}, "client." + tag.String() + "=x": {true, false}, "server." + tag.String() + "=x": {false, true},
			tag.String() + "=y": {false, false}, `"x"`: {true, true},
		} {
			f, err := Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			got := [2]bool{f.Matcher().Match(e, none, new(edge.Link)), f.Matcher().Match(none, e, new(edge.Link))}
			if got != want {
				t.Errorf("%s: %v as the client and the server, want %v", text, got, want)
			}
		}
	}
	l := edge.Link{
		Role: edge.Server, Scope: edge.ScopePod, Port: 80, OriginalPort: 81, Transport: edge.Text("tcp"), NAT: edge.Text("dnat"),
		Original: edge.Text("svc"), OriginalAddress: edge.Text("10.0.0.1"),
	}
	for tag := range names.EdgeTags {
		for value, want := range map[string]bool{l.Get(tag): true, "y": false} {
			f, err := Parse(tag.String() + "=" + value)
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Matcher().Match(new(edge.End), new(edge.End), &l); got != want {
				t.Errorf("%v=%s: %v, want %v", tag, value, got, want)
			}
		}
	}
	// Words that are on every edge are not found by a text without a tag.
	for text, want := range map[string]bool{"svc": true, "80": true, "81": true, "10.0": true, "tcp": false, "dnat": false, "pod": false} {
		f, _ := Parse(text)
		if got := f.Matcher().Match(new(edge.End), new(edge.End), &l); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// A matcher remembers what it found of an end, for each term apart.
func TestAMatcherIsUsedForManyEdges(t *testing.T) {
	web, db, none := end(t, "workload", "web"), end(t, "workload", "db"), new(edge.End)
	f, err := Parse("client.workload=web !server.workload=db")
	if err != nil {
		t.Fatal(err)
	}
	m := f.Matcher()
	for range 2 {
		for _, tt := range []struct {
			client, server *edge.End
			want           bool
		}{{web, none, true}, {web, db, false}, {db, web, false}, {web, web, true}, {none, none, false}} {
			if got := m.Match(tt.client, tt.server, new(edge.Link)); got != tt.want {
				t.Errorf("%s -> %s: %v, want %v", tt.client.Get(names.TagWorkload), tt.server.Get(names.TagWorkload), got, tt.want)
			}
		}
	}
}

// What is before an equals sign is a tag only if it is one word without a quote, a wildcard and a comma.
// A term that was not evaluated for an end, because an earlier term did not hold, is evaluated for its next edge.
func TestATermIsEvaluatedLater(t *testing.T) {
	f, err := Parse("server.workload=db client.workload=web")
	if err != nil {
		t.Fatal(err)
	}
	m, web, db := f.Matcher(), end(t, "workload", "web"), end(t, "workload", "db")
	if m.Match(web, web, new(edge.Link)) {
		t.Error("a server with another name matches")
	}
	if !m.Match(web, db, new(edge.Link)) {
		t.Error("the client is taken for one whose name is known not to match")
	}
}
