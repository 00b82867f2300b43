package conn

import (
	"strconv"
	"testing"
)

// A code has the name that RFC 6895 gives it. Those without a name share the last one, so that a hostile server cannot
// make a series for each of 4,096 codes.
func TestRcode(t *testing.T) {
	for code, want := range map[Rcode]string{0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"} {
		if got := code.String(); got != want {
			t.Errorf("code %d is %q, want %q", code, got, want)
		}
	}
	names := map[string]Rcode{}
	for code := range Rcode(4096) {
		name := code.String()
		if other, twice := names[name]; twice && other.Known() != code.Known() {
			t.Errorf("codes %d and %d are both %q", other, code, name)
		}
		names[name] = code
	}
	if len(names) != int(Rcodes) {
		t.Errorf("the codes have %s names, want %d", strconv.Itoa(len(names)), Rcodes)
	}
}
