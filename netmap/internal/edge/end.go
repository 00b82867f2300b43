package edge

import (
	"strings"
	"unicode/utf8"
	"unique"
)

// maxValue is how many bytes of a value are kept: labels are anybody's to choose.
const maxValue = 256

// Value is a text that is held once, however many ends have it. Comparable; the zero Value is the empty text.
type Value struct{ handle unique.Handle[string] }

// Text makes a Value. Texts that are too long are cut, and what is not UTF-8 is replaced.
func Text(s string) Value {
	if s == "" {
		return Value{}
	}
	if len(s) > maxValue {
		s = s[:maxValue]
		for len(s) > 0 && !utf8.RuneStart(s[len(s)-1]) {
			s = s[:len(s)-1]
		}
		if r, size := utf8.DecodeLastRuneInString(s); r == utf8.RuneError && size == 1 {
			s = s[:len(s)-1] // the first byte of a rune that was cut
		}
	}
	return Value{unique.Make(strings.ToValidUTF8(s, "\uFFFD"))}
}

func (v Value) String() string {
	if v == (Value{}) {
		return ""
	}
	return v.handle.Value()
}

// End is all that is known of one end. Comparable.
type End [Tags]Value

// Get returns the text of a tag, empty if the end does not have it.
func (e *End) Get(t Tag) string { return e[t].String() }

// Has tells whether the end has the tag.
func (e *End) Has(t Tag) bool { return e[t] != Value{} }

func (e *End) set(t Tag, s string) {
	if s != "" {
		e[t] = Text(s)
	}
}

// fill sets a tag that the end does not have.
func (e *End) fill(t Tag, v Value) {
	if e[t] == (Value{}) {
		e[t] = v
	}
}

// Kind tells what sort of end it is, for the eye.
type Kind uint8

// The kinds, in the order of the API's list.
const (
	Internal   Kind = iota // reports itself, or has the name of something that could
	External               // a public address, or a network that was given a name
	Unresolved             // nobody knows who it is
	Other                  // what is beyond a limit
	Kinds
)

func (k Kind) String() string { return [Kinds]string{"internal", "external", "unresolved", "other"}[k] }

// ParseKind finds a kind by its name.
func ParseKind(name string) (Kind, bool) {
	for k := range Kinds {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// The values of netconn.peer.type that are looked at.
const (
	typeContainer = "container"
	typePod       = "pod"
	typeHost      = "host"
	typePrivate   = "private"
	typePublic    = "public"
	typeOther     = "other" // ours, for what is beyond a limit
)

// Beyond returns the end that stands for all those beyond a limit.
func Beyond() End {
	var e End
	e.set(Type, typeOther)
	return e
}

// Kind tells what sort of end it is.
func (e *End) Kind() Kind {
	switch e.Get(Type) {
	case typeOther:
		return Other
	case typePublic:
		return External
	case typePrivate:
		if e.Has(Name) || e.Has(Domain) {
			return External
		}
		return Unresolved
	case "", "unknown":
		if e.Has(Workload) || e.Has(ContainerID) {
			return Internal
		}
		return Unresolved
	}
	return Internal
}

// Near returns the end with the tags that it shares with the end that reports it, as the scope tells.
func (e End) Near(local *End, s Scope) End {
	switch s {
	case ScopeContainer:
		return e.With(local)
	case ScopePod:
		for _, t := range [...]Tag{Namespace, Workload, WorkloadKind, Pod, PodUID} {
			if local.Has(t) {
				e[t] = local[t]
			}
		}
		if local.Has(Workload) {
			e[Name] = local[Name]
		}
		fallthrough
	case ScopeNode:
		for _, t := range [...]Tag{Cluster, Node, Host, HostID, Zone, Region} {
			e.fill(t, local[t])
		}
	}
	return e
}

// With returns the end with all that the same end tells of itself, which is the better view; the address stays its own.
func (e End) With(self *End) End {
	for t := range Tags {
		if t != Address && self.Has(t) {
			e[t] = self[t]
		}
	}
	return e
}

// Entity returns the end without what differs from one of its sockets to another.
func (e End) Entity() End {
	e[Address] = Value{}
	return e
}
