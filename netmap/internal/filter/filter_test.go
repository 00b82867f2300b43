package filter

import (
	"errors"
	"strings"
	"testing"

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

func TestMatch(t *testing.T) {
	c, s, l := sample()
	for text, want := range map[string]bool{
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
	} {
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

func TestErrors(t *testing.T) {
	for text, want := range map[string]Error{
		"clinet.pod=a":                    {0, `unknown tag "clinet.pod"`},
		"port=1 clinet.pod=a":             {7, `unknown tag "clinet.pod"`},
		"=a":                              {0, `unknown tag ""`},
		"client.=a":                       {0, `unknown tag "client."`},
		"client.port=80":                  {0, `unknown tag "client.port"`},
		"pod=\"a":                         {4, "a quote is not closed"},
		`pod="a"b`:                        {7, "text after a closing quote"},
		`pod=a"b"`:                        {5, "a quote within a value; put all of the value between quotes"},
		"!":                               {1, "a term is empty"},
		`""`:                              {0, "a term is empty"},
		strings.Repeat("a ", MaxTerms+1):  {2 * MaxTerms, "more than 32 terms"},
		"pod=" + strings.Repeat("a,", 40): {4 + 2*MaxValues - 1, "more than 32 values"},
		strings.Repeat("a", MaxBytes+1):   {MaxBytes, "the filter is longer than 2048 bytes"},
	} {
		_, err := Parse(text)
		var got *Error
		if !errors.As(err, &got) || *got != want {
			t.Errorf("%.40s: %+v, want %+v", text, err, want)
		}
	}
}

// Whatever is typed: no panic, an offset within the text, and a term's negation lets the others through.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"client.namespace=prod server.zone!=a *pay*", `pod="a\"b" !x`, "address=10.0.0.0/8,::1", "=", "!=", "a!", "\"", "-", "*", "pod=**a*",
		"kind!=other,internal", "port=\xff", "a\x00b", `"\`, "!!a", "pod==", "pod=!=",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, s, l := sample()
		parsed, err := Parse(text)
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Offset < 0 || wrong.Offset > len(text) || wrong.Message == "" {
				t.Fatalf("%q: error %#v", text, err)
			}
			return
		}
		holds := parsed.Matcher().Match(c, s, l)
		if len(parsed.terms) == 1 {
			parsed.terms[0].not = !parsed.terms[0].not
			if parsed.Matcher().Match(c, s, l) == holds {
				t.Fatalf("%q: the term and its negation both hold: %v", text, holds)
			}
		}
	})
}
