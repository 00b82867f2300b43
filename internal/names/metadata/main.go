// Command metadata writes the list of the attributes of flows into a metadata.yaml, wherever a metric or an
// event has them. All else in the file is written by hand.
//
// YAML has anchors, but no way to put an alias and more elements into one list, and two thirds of these lists
// have more.
package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/netconn/netconn/internal/names"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: metadata FILE")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = os.WriteFile(os.Args[1], []byte(expand(string(text))), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write the lists of attributes:", err)
		os.Exit(1)
	}
}

// list matches a list of attributes in brackets, as metrics and events have it, over one or more lines.
var list = regexp.MustCompile(`(?m)^( +)attributes:\s*\[([^\]]*)\]`)

// expand returns the text with whole lists. A list is one of a flow's attributes if it has the name of the
// peer; others, such as that of netconn.zone.io, stay as they are. With the name of a question it is one of a look-up.
func expand(text string) string {
	return list.ReplaceAllStringFunc(text, func(found string) string {
		m := list.FindStringSubmatch(found)
		keys := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
		if !slices.Contains(keys, names.PeerName.Key()) {
			return found
		}
		return m[1] + "attributes:\n" + wrap(m[1]+"  ", whole(keys))
	})
}

// whole returns the attributes of flows in place of those among the keys.
func whole(keys []string) []string {
	flows, lookup := flowKeys(), slices.Contains(keys, names.Question.Key())
	first := slices.IndexFunc(keys, func(k string) bool { return slices.Contains(flows, k) })
	others := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return slices.Contains(flows, k) })
	flows = slices.DeleteFunc(flows, func(k string) bool { return !describes(k, lookup) })
	return slices.Insert(others, min(first, len(others)), flows...)
}

// describes reports whether an attribute is one of look-ups, or one of connections. Of a look-up translations are not
// known, nor the name of a resolver.
func describes(key string, lookup bool) bool {
	switch key {
	case names.Question.Key():
		return lookup
	case names.NAT.Key(), names.OriginalName.Key(), names.OriginalPort.Key(), names.OriginalAddress.Key(),
		names.OriginalSource.Key(), names.PeerDomain.Key():
		return !lookup
	}
	return true
}

// flowKeys returns the keys of the attributes of flows, the peer's last.
func flowKeys() []string {
	var keys []string
	for a := names.PeerAttributes; a < names.Attributes; a++ {
		keys = append(keys, a.Key())
	}
	for a := range names.PeerAttributes {
		keys = append(keys, a.Key())
	}
	return keys
}

// lineWidth is the longest line that is written.
const lineWidth = 120

// wrap returns a list in brackets.
func wrap(indent string, keys []string) string {
	var b strings.Builder
	line := indent + "["
	for i, k := range keys {
		if i < len(keys)-1 {
			k += ","
		}
		if len(line)+len(k) >= lineWidth {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent + " "
		}
		line += k + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "]")
	return b.String()
}
