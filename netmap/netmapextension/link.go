package netmapextension

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/netconn/netconn/internal/names"
)

// LinkConfig is a link from an end of an edge. URL has attributes of that end in braces, such as {k8s.pod.name}, of the
// other ends with a prefix, such as {peer.service.name}, of the edge, such as {server.port}, and the time.
type LinkConfig struct {
	Name string `mapstructure:"name"`
	// Kind is traces, logs, metrics or other.
	Kind string `mapstructure:"kind"`
	URL  string `mapstructure:"url"`
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// validate accepts a template only if its scheme and host do not depend on attributes, because workloads choose their
// own labels.
func (l *LinkConfig) validate() error {
	if l.Name == "" {
		return errors.New("name: must not be empty")
	}
	switch l.Kind {
	case "traces", "logs", "metrics", "other":
	default:
		return fmt.Errorf("kind: must be traces, logs, metrics or other, not %q", l.Kind)
	}
	plain := placeholder.ReplaceAllString(l.URL, "x")
	u, err := url.Parse(plain)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("url: must begin with http:// or https:// and a host, not %q", l.URL)
	}
	_, rest, _ := strings.Cut(l.URL, "://") // not by u.Scheme, which is in lower case
	fixed, _, _ := strings.Cut(rest, "/")
	if strings.ContainsAny(fixed, "{}") {
		return fmt.Errorf("url: the host must not depend on an attribute, as in %q", l.URL)
	}
	if strings.ContainsAny(plain, "{}") {
		return fmt.Errorf("url: braces do not match in %q", l.URL)
	}
	for _, name := range l.placeholders() {
		if !isTime(name) && !isOfEdge(name) && !isOfEnd(name) && !isOfSpan(name) {
			return fmt.Errorf("url: {%s} is no attribute of an end or an edge", name)
		}
	}
	return nil
}

// isTime reports whether a placeholder is the begin or the end of the window: in milliseconds, seconds or microseconds.
func isTime(name string) bool {
	return slices.Contains([]string{"from", "to", "from_s", "to_s", "from_us", "to_us"}, name)
}

// isOfSpan reports whether a placeholder is an ID of a span or a log record. The page shows such a link at the span.
func isOfSpan(name string) bool { return name == "trace_id" || name == "span_id" }

// isOfEdge reports whether a placeholder is an attribute of the edge. The port of the other end as the client's socket
// has it follows from the others.
func isOfEdge(name string) bool {
	for t := range names.EdgeTags {
		if t.Attribute() == name {
			return true
		}
	}
	return name == names.PeerPort.Key()
}

// isOfEnd reports whether a placeholder is an attribute of an end: of the link's own, or with a prefix of the client,
// the server, or the other end.
func isOfEnd(name string) bool {
	for _, prefix := range []string{"client.", "server.", "peer."} {
		if of, found := strings.CutPrefix(name, prefix); found {
			name = of
			break
		}
	}
	for t := range names.Tags {
		if t.Attribute() == name {
			return true
		}
	}
	return false
}

// placeholders returns the names in braces.
func (l *LinkConfig) placeholders() []string {
	var all []string
	for _, p := range placeholder.FindAllString(l.URL, -1) {
		all = append(all, p[1:len(p)-1])
	}
	return all
}

// needs returns the attributes that a link must have.
func (l *LinkConfig) needs() []string {
	return slices.DeleteFunc(l.placeholders(), isTime)
}
