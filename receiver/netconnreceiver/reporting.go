package netconnreceiver

import (
	"errors"
	"maps"
	"slices"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

// reporting is what was told of that which comes and goes while the receiver runs: the way to the Kubernetes API.
type reporting struct {
	hosts [signals]component.Host // of the receivers that run
	told  map[string]bool         // by what it is about
}

// reportTo sets who is told of the status of a signal's receiver; nil: nobody.
func (s *netconnScraper) reportTo(of signal, host component.Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reporting.hosts[of] = host
}

// retell tells what has stopped to work since the last collection, or works again: once each in the log, and in the status of each
// receiver. What was missing from the start stays in the status.
func (s *netconnScraper) retell() {
	now, errs := make(map[string]bool), slices.Clone(s.pipeline.Degraded())
	for _, f := range s.pipeline.Faults() {
		if now[f.About] = true; !s.reporting.told[f.About] {
			s.set.Logger.Warn("Something does not work.", zap.Error(f.Err))
		}
		errs = append(errs, f.Err)
	}
	if maps.Equal(now, s.reporting.told) {
		return
	}
	for about := range s.reporting.told {
		if !now[about] {
			s.set.Logger.Info("It works again.", zap.String("watch", about))
		}
	}
	s.reporting.told = now
	event := func() *componentstatus.Event { return componentstatus.NewEvent(componentstatus.StatusOK) }
	if len(errs) > 0 {
		event = func() *componentstatus.Event { return componentstatus.NewRecoverableErrorEvent(errors.Join(errs...)) }
	}
	for _, host := range s.reporting.hosts {
		if host != nil {
			componentstatus.ReportStatus(host, event())
		}
	}
}
