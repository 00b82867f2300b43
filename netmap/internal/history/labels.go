package history

import (
	"github.com/mailru/easyjson/jlexer"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// labels reads the labels of rows. What of has read it remembers, as most rows share their labels with others. Not safe
// for concurrent use.
type labels struct {
	fields map[string]field
	values map[string]edge.Value
	read   map[string]*reading // by the text of all labels
}

// A field sets what one label says of a reading.
type field func(r *reading, v edge.Value)

// A reading is what the labels of a series say.
type reading struct {
	report
	aspect string // what tells the series of one report apart: a direction or an error
}

func newLabels(n *naming) *labels {
	l := &labels{make(map[string]field), make(map[string]edge.Value), make(map[string]*reading)}
	for attribute, f := range linkFields() {
		l.fields[n.label(attribute)] = f
	}
	for _, t := range identity {
		l.fields[n.label(clientPrefix+t.String())] = func(r *reading, v edge.Value) {
			r.client[t], r.party.client[t] = v, v
		}
		l.fields[n.label(serverPrefix+t.String())] = func(r *reading, v edge.Value) {
			r.server[t], r.party.server[t] = v, v
		}
	}
	l.fields[n.label(clientPrefix+alone)] = func(r *reading, v edge.Value) { r.client[names.TagName] = v }
	l.fields[n.label(serverPrefix+alone)] = func(r *reading, v edge.Value) { r.server[names.TagName] = v }
	for _, t := range more {
		l.fields[n.label(clientPrefix+t.String())] = func(r *reading, v edge.Value) { r.client[t] = v }
		l.fields[n.label(serverPrefix+t.String())] = func(r *reading, v edge.Value) { r.server[t] = v }
	}
	return l
}

// linkFields are the fields of labels that are no tags of an end.
func linkFields() map[string]field {
	return map[string]field{
		names.ServerPort.Key(): func(r *reading, v edge.Value) { r.port = v },
		names.EdgeReach:        func(r *reading, v edge.Value) { r.scope = v },
		names.Transport.Key():  func(r *reading, v edge.Value) { r.transport = v },
		names.Role.Key():       func(r *reading, v edge.Value) { r.known = v.String() != names.RoleUnknown },
		names.Reporter:         func(r *reading, v edge.Value) { r.byServer = v.String() == names.RoleServer },
		names.Direction:        func(r *reading, v edge.Value) { r.aspect = v.String() },
		names.ErrorType:        func(r *reading, v edge.Value) { r.aspect = v.String() },
	}
}

// of returns what the labels of a row say. Rows with equal labels share the result: callers must not change it.
func (l *labels) of(text []byte) *reading {
	r, known := l.read[string(text)]
	if !known {
		r = new(reading)
		l.into(r, text)
		l.read[string(text)] = r
	}
	return r
}

// into reads the labels of a row into r, and does not remember them. It is for lists in which all labels differ.
func (l *labels) into(r *reading, text []byte) {
	*r = reading{report: report{party: party{known: true}}}
	lexer := &jlexer.Lexer{Data: text}
	object(lexer, func(key string) {
		if set := l.fields[key]; set != nil {
			set(r, l.value(lexer.UnsafeString()))
		} else {
			lexer.SkipRecursive()
		}
	})
	r.client.ReadName()
	r.server.ReadName()
}

func (l *labels) value(s string) edge.Value {
	v, known := l.values[s]
	if !known {
		s = string([]byte(s)) // it is a part of the answer
		v = edge.Text(s)
		l.values[s] = v
	}
	return v
}
