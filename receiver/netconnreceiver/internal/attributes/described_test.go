package attributes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/flowtest"
)

// What is copied is what would have been put: of each flow and each set, with and without an attribute more.
func TestDescribed(t *testing.T) {
	full, bare := flowtest.Flow(), &flow.Flow{Key: flow.Key{ServerPort: 80}}
	var d Described
	for i, of := range []struct {
		set Set
		*flow.Flow
		key string
	}{
		{All, full, ""}, {All, full, "error.type"}, {All, full, ""}, {With(names.Role), full, ""},
		{All, bare, "error.type"}, {All, bare, ""}, {All, &flow.Flow{Key: full.Key, Overflow: true}, ""},
	} {
		want, got := pcommon.NewMap(), pcommon.NewMap()
		if of.Overflow {
			want.PutBool(names.Overflow, true)
		} else {
			of.set.Put(want, &of.Key)
		}
		if of.key != "" {
			want.PutStr(of.key, "reset")
		}
		d.Put(got, of.set, of.Flow, of.key, "reset")
		if diff := cmp.Diff(want.AsRaw(), got.AsRaw()); diff != "" {
			t.Errorf("%d (-put +copied):\n%s", i, diff)
		}
	}
	full.Key.ServerPort = 81
	d.Put(pcommon.NewMap(), All, full, "", "")
	full.Key.ServerPort = 82
	d.Forget()
	changed := pcommon.NewMap()
	d.Put(changed, All, full, "", "")
	if port, _ := changed.Get(names.ServerPort.Key()); port.Int() != 82 {
		t.Errorf("port %d of a flow that has changed", port.Int())
	}
}
