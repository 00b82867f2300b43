//go:build linux

package conntrack

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestAddZones(t *testing.T) {
	var z zones
	for zone := range uint16(maxZones + 1) { // zone 0 is always looked up
		z.add(zone)
		z.add(zone)
	}
	if len(z.known) != maxZones || z.overflow || slices.Contains(z.known, 0) {
		t.Errorf("zones %v, overflow %v", z.known, z.overflow)
	}
	z.add(100)
	if len(z.known) != maxZones || !z.overflow {
		t.Errorf("one more: zones %v, overflow %v", z.known, z.overflow)
	}
}

// tableOf reads as a table with some zones, of which only a part was read, or with an error.
func tableOf(whole bool, err error, zones ...uint16) func(func(uint16)) (bool, error) {
	return func(add func(uint16)) (bool, error) {
		for _, z := range zones {
			add(z)
		}
		return whole, err
	}
}

// A zone stays known when the table has no more entries in it. An overflow ends when a whole table shows none, and not
// before.
func TestLearn(t *testing.T) {
	var many []uint16
	for zone := range uint16(maxZones + 1) {
		many = append(many, zone+1)
	}
	failure := errors.New("no table")
	for _, c := range []struct {
		name                 string
		dumps                []func(func(uint16)) (bool, error)
		known                int
		overflow, incomplete bool
		err                  error
	}{
		{"an empty table", dumps(tableOf(true, nil)), 0, false, false, nil},
		{"two zones", dumps(tableOf(true, nil, 0, 5, 6, 5)), 2, false, false, nil},
		{"a zone that is empty later", dumps(tableOf(true, nil, 5), tableOf(true, nil)), 1, false, false, nil},
		{"a part of a table", dumps(tableOf(false, nil, 5)), 1, false, true, nil},
		{"a part, and then all", dumps(tableOf(false, nil, 5), tableOf(true, nil, 6)), 2, false, false, nil},
		{"an error", dumps(tableOf(true, failure)), 0, false, true, failure},
		{"too many", dumps(tableOf(true, nil, many...)), maxZones, true, false, nil},
		{"too many, and a part", dumps(tableOf(true, nil, many...), tableOf(false, nil)), maxZones, true, true, nil},
		{"too many, and an error",
			dumps(tableOf(true, nil, many...), tableOf(true, failure)), maxZones, true, true, failure},
		{"too many, and all", dumps(tableOf(true, nil, many...), tableOf(true, nil, 1)), maxZones, false, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var z zones
			var err error
			now := time.Now()
			for _, dump := range c.dumps {
				now = now.Add(time.Minute)
				err = z.learn(now, dump)
			}
			if len(z.known) != c.known || z.overflow != c.overflow || z.incomplete != c.incomplete {
				t.Errorf("%+v", z)
			}
			if !errors.Is(err, c.err) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if !z.readAt.Equal(now) || z.nextRead.Before(now.Add(dumpPause)) {
				t.Errorf("read at %v, again at %v; want %v and a pause", z.readAt, z.nextRead, now)
			}
		})
	}
}

func dumps(all ...func(func(uint16)) (bool, error)) []func(func(uint16)) (bool, error) { return all }

// A table that costs much to read is read rarely. One that takes long on a busy machine is not.
func TestLearnPause(t *testing.T) {
	const reading = 30 * time.Millisecond
	pause := func(read func()) time.Duration {
		var z zones
		now := time.Now()
		if err := z.learn(now, func(func(uint16)) (bool, error) { read(); return true, nil }); err != nil {
			t.Fatal(err)
		}
		return z.nextRead.Sub(now)
	}
	work := func() {
		for began := threadTime(); threadTime()-began < reading; {
		}
	}
	if got := pause(work); got < dumpShare*reading {
		t.Errorf("it is read again after %v, want %v or more", got, dumpShare*reading)
	}
	if got := pause(func() { time.Sleep(reading) }); got >= dumpShare*reading {
		t.Errorf("it is read again after %v, although to read it costs nothing", got)
	}
}

func TestWantsExam(t *testing.T) {
	now := time.Now()
	none, plain := Answer{Result: NoEntry}, Answer{Result: Found}
	for _, c := range []struct {
		name       string
		examinedAt time.Time
		readAt     time.Time
		a          Answer
		want       bool
	}{
		{"no entry", time.Time{}, now.Add(-time.Second), none, true},
		{"no entry, examined in this call", now, now, none, false},
		{"an entry, zones never read", time.Time{}, time.Time{}, plain, true},
		{"an entry, zones read before", now.Add(-time.Second), now.Add(-zonesTimeout + 1), plain, false},
		{"an entry, zones read long before", now.Add(-time.Second), now.Add(-zonesTimeout), plain, true},
	} {
		n := &netns{examinedAt: c.examinedAt, zones: zones{readAt: c.readAt}}
		if got := n.wantsExam(now, &c.a); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What it means that no known zone translates a packet.
func TestQualify(t *testing.T) {
	now := time.Now()
	before := now.Add(-time.Minute)
	none, plain := Answer{Result: NoEntry}, Answer{Result: Found, State: Established}
	tracked := Answer{Result: NoEntry, Translates: true}
	packet := tuple("10.244.1.11:37016", "10.96.1.3:80")
	tooEarly, ambiguous := Answer{Result: TooEarly}, Answer{Result: Ambiguous}
	none4, nat4 := rules{known: true, ipv6: true}, rules{known: true, ipv4: true}
	partRead := zones{readAt: now, incomplete: true}
	failure := errors.New("no right to enter")
	for _, c := range []struct {
		name string
		n    netns
		open bool
		a    Answer
		want Answer
	}{
		{"tracks nothing, no rules", netns{emptyAt: now, rules: none4}, false, none, none},
		{"tracks nothing, no rules, open", netns{emptyAt: now, rules: none4}, true, none, none},
		{"tracks nothing, rules that translate", netns{emptyAt: now, rules: nat4}, true, none, tracked},
		{"tracks nothing, rules not read", netns{emptyAt: now}, true, none, tracked},
		{"tracks, rules gone", netns{tracks: true, rules: none4, zones: zones{readAt: now}}, true, none, tracked},
		{"tracked nothing a moment ago, open", netns{emptyAt: before}, true, none, tooEarly},
		{"tracked nothing a moment ago, closed", netns{emptyAt: before, rules: none4}, false, none, none},
		{"tracks, zones just read, open", netns{tracks: true, zones: zones{readAt: now}}, true, none, tracked},
		{"tracks, zones read before, open", netns{tracks: true, zones: zones{readAt: before}}, true, none, tooEarly},
		{"tracks, zones read before, closed", netns{tracks: true, zones: zones{readAt: before}}, false, none, tracked},
		{"more zones than are looked up", netns{zones: zones{readAt: now, overflow: true}}, false, none, ambiguous},
		{"more zones, and an entry", netns{zones: zones{readAt: now, overflow: true}}, true, plain, ambiguous},
		{"a part of the table", netns{tracks: true, zones: partRead}, true, none, ambiguous},
		{"an entry, and a part of the table", netns{tracks: true, zones: partRead}, true, plain, plain},
		{"an entry, zones read long before",
			netns{zones: zones{readAt: now.Add(-2 * zonesTimeout)}}, true, plain, plain},
		{"may not be entered", netns{examineErr: failure}, false, none, ambiguous},
		{"may not be entered, and an entry", netns{examineErr: failure}, false, plain, ambiguous},
		{"not found again yet", netns{examineErr: ErrTooEarly}, false, none, tooEarly},
		{"not found again yet, and an entry", netns{examineErr: ErrTooEarly}, true, plain, tooEarly},
		{"not found again yet, zones read before, and an entry",
			netns{examineErr: ErrTooEarly, zones: zones{readAt: before}}, true, plain, plain},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantEqual(t, "answer", c.n.qualify(now, &Lookup{Open: c.open, Tuple: packet}, c.a), c.want)
		})
	}
}
