package history

import (
	"regexp"
	"strings"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A metric is one of the edge metrics.
type metric uint8

const (
	volume metric = iota
	attempts
	closed
	retransmits
	active
	rttSum
	rttCount
	metrics // how many there are
)

// patterns match what the metrics are called in a store, after what is not a letter, a digit or an underscore has
// become an underscore. Units and _total are there or not, as the translation has it.
var patterns = [metrics]*regexp.Regexp{
	volume:      named(names.EdgeIO, "(_bytes)?(_total)?"),
	attempts:    named(names.EdgeAttempts, "(_total)?"),
	closed:      named(names.EdgeClosed, "(_total)?"),
	retransmits: named(names.EdgeRetransmits, "(_total)?"),
	active:      named(names.EdgeActive, ""),
	rttSum:      named(names.EdgeRTT, "(_seconds)?_sum"),
	rttCount:    named(names.EdgeRTT, "(_seconds)?_count"),
}

func named(name, suffix string) *regexp.Regexp {
	return regexp.MustCompile("^" + escaped(name) + suffix + "$")
}

// anyMetric matches all edge metrics, in every translation.
const anyMetric = `netconn[._]edge[._].+`

// escaped returns a name as Prometheus wrote names before it took any character.
func escaped(name string) string { return strings.ReplaceAll(name, ".", "_") }

// A naming is what a store calls the metrics and their labels.
type naming struct {
	metrics [metrics]string // empty: it has none
	dots    bool            // labels are called as the attributes are
}

// newNaming returns the naming of a store that has these metrics. If it has two, because the translation has changed,
// the one with underscores counts.
func newNaming(found []string) naming {
	underscores, dots := naming{}, naming{dots: true}
	for m, pattern := range patterns {
		for _, name := range found {
			switch {
			case !pattern.MatchString(escaped(name)):
			case strings.Contains(name, "."):
				dots.metrics[m] = name
			default:
				underscores.metrics[m] = name
			}
		}
	}
	if underscores.empty() {
		return dots
	}
	return underscores
}

func (n *naming) label(attribute string) string {
	if n.dots {
		return attribute
	}
	return escaped(attribute)
}

// empty reports whether the store has no edge metrics.
func (n *naming) empty() bool { return n.metrics == [metrics]string{} }

// Tags that identify an end, and those that an end may have besides. A workload is its name.
var (
	identity = []names.Tag{names.TagType, names.TagNamespace, names.TagName, names.TagContainer}
	more     = []names.Tag{
		names.TagService, names.TagServiceNamespace, names.TagCluster, names.TagWorkloadKind, names.TagImage,
		names.TagImageTag, names.TagExecutable, names.TagUnit, names.TagNode, names.TagHost, names.TagHostID,
		names.TagZone, names.TagRegion, names.TagDomain, names.TagProxy,
	}
)

const (
	clientPrefix = "client."
	serverPrefix = "server."
)

// edgeLabels are the attributes that identify an edge, whichever end reports it.
func edgeLabels() []string {
	all := []string{names.ServerPort.Key(), names.EdgeReach, names.Role.Key(), names.Transport.Key()}
	for _, t := range identity {
		all = append(all, clientPrefix+t.String(), serverPrefix+t.String())
	}
	return all
}

// reportLabels are those of an end's report of an edge.
func reportLabels() []string {
	all := append(edgeLabels(), names.Reporter)
	for _, t := range more {
		all = append(all, clientPrefix+t.String(), serverPrefix+t.String())
	}
	return all
}

// A party is what both reports of an edge say about it. Comparable.
type party struct {
	client, server         edge.End
	port, scope, transport edge.Value
	known                  bool // an end saw the connection open
}

// A report is an edge as one of its ends reports it. Comparable.
type report struct {
	party
	client, server edge.End // with all tags
	byServer       bool
}
