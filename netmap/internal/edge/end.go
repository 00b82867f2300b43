package edge

import "github.com/netconn/netconn/internal/names"

// End is all that is known about one end. Comparable.
type End [names.Tags]Value

// Get returns the text of a tag, or "" if the end does not have it.
func (e *End) Get(t names.Tag) string { return e[t].String() }

// Has reports whether the end has the tag.
func (e *End) Has(t names.Tag) bool { return e[t] != Value{} }

func (e *End) set(t names.Tag, s string) {
	if s != "" {
		e[t] = Text(s)
	}
}

// fill sets a tag that the end does not have.
func (e *End) fill(t names.Tag, v Value) {
	if e[t] == (Value{}) {
		e[t] = v
	}
}

// typeOther is the type of the end that stands for all ends beyond a limit. The receiver never emits it.
const typeOther = "other"

// Overflow returns the end that stands for all ends beyond a limit.
func Overflow() End {
	var e End
	e.set(names.TagType, typeOther)
	return e
}

// Kind is a coarse class of ends, for the page.
type Kind uint8

// The kinds, in the order of the API's list.
const (
	Internal   Kind = iota // reports itself, or has the name of something that could
	External               // a public address, or a network with a configured name
	Unresolved             // unknown
	Other                  // beyond a limit
	Kinds                  // how many there are
)

func (k Kind) String() string { return [Kinds]string{"internal", "external", "unresolved", "other"}[k] }

// Kind returns the kind of the end.
func (e *End) Kind() Kind {
	switch e.Get(names.TagType) {
	case typeOther:
		return Other
	case names.TypePublic:
		return External
	case names.TypePrivate:
		if e.Has(names.TagName) || e.Has(names.TagDomain) {
			return External
		}
		return Unresolved
	case "", names.TypeUnknown:
		if e.Has(names.TagWorkload) || e.Has(names.TagContainerID) {
			return Internal
		}
		return Unresolved
	}
	return Internal
}

// The tags that all ends of a place share.
var (
	podTags = [...]names.Tag{names.TagNamespace, names.TagWorkload, names.TagWorkloadKind, names.TagPod,
		names.TagPodUID}
	hostTags = [...]names.Tag{
		names.TagCluster, names.TagNode, names.TagHost, names.TagHostID, names.TagZone, names.TagRegion,
	}
)

// AtPlace returns the end with the tags that it shares with the end that reports it. s is the distance between the two.
func (e End) AtPlace(local *End, s Scope) End {
	switch s {
	case ScopeContainer:
		return e.DescribedBy(local)
	case ScopePod:
		for _, t := range podTags {
			if local.Has(t) {
				e[t] = local[t]
			}
		}
		if local.Has(names.TagWorkload) {
			e[names.TagName] = local[names.TagName]
		}
		fallthrough
	case ScopeNode:
		for _, t := range hostTags {
			e.fill(t, local[t])
		}
	}
	return e
}

// DescribedBy returns the end with all tags of its own description, which is the better one. The address stays, as an
// end may have several.
func (e End) DescribedBy(self *End) End {
	for t := range names.Tags {
		if t != names.TagAddress && self.Has(t) {
			e[t] = self[t]
		}
	}
	return e
}

// WithoutAddress returns the end without the tag that differs between its sockets.
func (e End) WithoutAddress() End {
	e[names.TagAddress] = Value{}
	return e
}

// HostKey returns the value that identifies the end's host, or the zero Value if it is unknown.
func (e *End) HostKey() Value {
	for _, t := range [...]names.Tag{names.TagHostID, names.TagHost, names.TagNode} {
		if e.Has(t) {
			return e[t]
		}
	}
	return Value{}
}
