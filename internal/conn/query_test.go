package conn

import (
	"testing"

	"github.com/netconn/netconn/internal/names"
)

func TestAnswer(t *testing.T) {
	for answer, want := range map[Answer]string{Unknown: "unknown", Provisional: "provisional", Final: "final"} {
		if got := answer.String(); got != want {
			t.Errorf("answer %d is %q, want %q", answer, got, want)
		}
	}
	if (Answer(0)) != Unknown {
		t.Error("a source that returns nothing has an answer")
	}
}

// What a source knows is never replaced by the next one, whatever the order of their attributes.
func TestSourcesInTurn(t *testing.T) {
	var first, second Peer
	first[names.PeerName], first[names.PeerZone] = "reviews", "a"
	second[names.PeerName], second[names.PeerWorkload] = "10.1.2.3", "reviews-v1"
	both := first.Or(second)
	want := first
	want[names.PeerWorkload] = "reviews-v1"
	if both != want {
		t.Errorf("got %v, want %v", both, want)
	}
	if both.Or(second) != both || both.Or(first) != both || both.Or(Peer{}) != both || (Peer{}).Or(both) != both {
		t.Error("asking again changes the peer")
	}
	if second.Or(first)[names.PeerName] != "10.1.2.3" {
		t.Error("the second source is asked first and is not heard")
	}
}
