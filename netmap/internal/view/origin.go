package view

import (
	"errors"
	"slices"

	"github.com/netconn/netconn/netmap/internal/snap"
)

// Origin is where the figures of an answer are from.
type Origin struct {
	Source  string   `json:"source"`            // memory, or store: a store elsewhere
	Partial *Partial `json:"partial,omitempty"` // absent: nothing is missing
}

// Partial is what a store did not answer.
type Partial struct {
	Missing []string `json:"missing"`
	Reason  string   `json:"reason"`
}

func originOf(snapshot *snap.Snapshot) Origin {
	o := Origin{Source: "memory"}
	if snapshot.Remote {
		o.Source = "store"
	}
	if p := snapshot.Partial; p != nil {
		o.Partial = &Partial{slices.Concat([]string{}, p.Missing), p.Reason}
	}
	return o
}

// lacks notes what a history could not be read of. It returns any other error.
func (o *Origin) lacks(err error) error {
	var p *snap.Partial
	if !errors.As(err, &p) {
		return err
	}
	if o.Partial == nil {
		o.Partial = &Partial{Missing: []string{}}
	}
	o.Partial.Missing, o.Partial.Reason = append(o.Partial.Missing, p.Missing...), p.Reason
	return nil
}
