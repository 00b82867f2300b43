//go:build linux

package conntrack

import "testing"

func parsed(data, extra []byte) (all []event) {
	parseEvents(data, extra, func(e event) { all = append(all, e) })
	return all
}

// A change in another namespace comes with its id. Of the home namespace, only a deleted id is news.
func TestParseEvents(t *testing.T) {
	address, control := recorded(t, "event/address"), recorded(t, "event/address/control")
	added, deleted := recorded(t, "event/new-nsid"), recorded(t, "event/deleted-nsid")
	route := recorded(t, "event/route")
	two := append(recorded(t, "event/address"), route...)
	for name, c := range map[string]struct {
		data, control []byte
		want          []event
	}{
		"an address of another namespace":       {address, control, []event{{id: 1}}},
		"a route of another namespace":          {route, recorded(t, "event/route/control"), []event{{id: 1}}},
		"two messages in a datagram":            {two, control, []event{{id: 1}, {id: 1}}},
		"an address of the home namespace":      {address, nil, nil},
		"a new id of the home namespace":        {added, nil, nil},
		"a deleted id of the home namespace":    {deleted, nil, []event{{id: 5, deleted: true}}},
		"a deleted id of another namespace":     {deleted, control, nil},
		"a new id of another namespace":         {added, control, nil},
		"a part of a message":                   {address[:20], control, nil},
		"nothing":                               {nil, nil, nil},
		"a control message that is cut off":     {address, control[:10], nil},
		"a control message without a namespace": {address, control[:16], nil},
	} {
		t.Run(name, func(t *testing.T) {
			wantEqual(t, "events", parsed(c.data, c.control), c.want)
		})
	}
}

func FuzzParseEvents(f *testing.F) {
	f.Add(recorded(f, "event/address"), recorded(f, "event/address/control"))
	f.Add(recorded(f, "event/deleted-nsid"), []byte(nil))
	f.Fuzz(func(t *testing.T, data, control []byte) {
		for _, e := range parsed(data, control) {
			if _, foreign := parseOrigin(control); e.deleted == foreign {
				t.Errorf("%+v of a namespace that is foreign: %v", e, foreign)
			}
		}
	})
}
