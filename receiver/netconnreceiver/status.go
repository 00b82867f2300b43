package netconnreceiver

import (
	"errors"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"

	"github.com/netconn/netconn/internal/conn"
)

// A signal is what a receiver emits.
type signal uint8

const (
	signalMetrics signal = iota
	signalLogs
	signals // how many there are
)

// status says in the log, and in the status of each receiver, what does not work.
type status struct {
	logger    *zap.Logger
	refused   error                   // why no connections are read; nil: they are
	missing   []error                 // what the pipeline works without since it was opened
	hosts     [signals]component.Host // of the receivers that run
	reporting map[string]bool         // the faults that were reported, by what they are about
	logged    map[string]time.Time    // when they were logged
}

func newStatus(l *zap.Logger) status {
	return status{logger: l, logged: make(map[string]time.Time)}
}

// refuse says once that no connections are read.
func (s *status) refuse(err error) {
	s.refused = err
	s.logger.Error("No connections are read.", zap.Error(err))
}

// miss says once what the pipeline works without.
func (s *status) miss(missing []error) {
	s.missing = missing
	for _, err := range missing {
		s.logger.Warn("Something is missing.", zap.Error(err))
	}
}

// begin reports the status of a receiver that starts, unless there is nothing to say.
func (s *status) begin(host component.Host) {
	if s.refused != nil || len(s.missing) > 0 {
		componentstatus.ReportStatus(host, s.event(s.missing))
	}
}

// event returns the status of a receiver. With an error that a user can live with, all else works.
func (s *status) event(errs []error) *componentstatus.Event {
	switch {
	case s.refused != nil:
		return componentstatus.NewPermanentErrorEvent(s.refused)
	case len(errs) > 0:
		return componentstatus.NewRecoverableErrorEvent(errors.Join(errs...))
	}
	return componentstatus.NewEvent(componentstatus.StatusOK)
}

// logAgain is how often a fault that lasts is logged.
const logAgain = time.Minute

// update reports what has stopped working since the last collection, or works again: in the status of each receiver
// that runs, and in the log, once or as often as logAgain. What is missing since the start stays in the status.
func (s *status) update(faults []conn.Fault, at time.Time) {
	now, errs := make(map[string]bool), slices.Clone(s.missing)
	for _, f := range faults {
		now[f.About] = true
		if !s.reporting[f.About] || f.Lasts && at.Sub(s.logged[f.About]) >= logAgain {
			s.logged[f.About] = at
			s.logger.Warn("Something does not work.", zap.Error(f.Err))
		}
		errs = append(errs, f.Err)
	}
	if maps.Equal(now, s.reporting) {
		return
	}
	for about := range s.reporting {
		if !now[about] {
			s.logger.Info("It works again.", zap.String("about", about))
		}
	}
	s.reporting = now
	for _, host := range s.hosts {
		if host != nil {
			componentstatus.ReportStatus(host, s.event(errs))
		}
	}
}
