package history

import (
	"context"

	"github.com/netconn/netconn/netmap/internal/snap"
)

// minOfHours is the shortest window that is made of recorded hours only, in seconds. It ends with the last of them.
const minOfHours = 7 * day

// An hoursKey is a snapshot that is made of recorded hours.
type hoursKey struct {
	snapshotKey
	sums bool
}

// Hours returns a snapshot for an answer that does not read the history. A long window of it is made of recorded hours
// only: its range may be some hours shorter, and which end's report counts was decided for each hour. With sums, the
// answer adds edges up by the namespaces and types of their ends, and has no condition about anything else; the figures
// of all edges of two namespaces are those of one of them. A window that is not recorded, or too short, is that of
// Snapshot.
func (s *Source) Hours(ctx context.Context, r snap.Range, sums bool, wants ...snap.Want) (
	*snap.Snapshot, error,
) {
	to := min(r.To, s.config.Now().Unix())
	if r.To-r.From < s.minOfHours {
		return s.Snapshot(ctx, r, wants...)
	}
	q, err := s.hourQueries(ctx, r, to, wants)
	if err != nil {
		return nil, err
	}
	key := hoursKey{q.key(r), sums}
	made, err := s.hours.get(ctx, key, func(ctx context.Context) (*snap.Snapshot, error) {
		made, err := s.loadHours(ctx, r, to, q, sums)
		if made != nil && ctx.Err() == nil {
			s.note(made, err)
		}
		return made, err
	})
	if made != nil || err != nil && ctx.Err() != nil {
		return made, err
	}
	return s.Snapshot(ctx, r, wants...)
}

// hourQueries returns the queries of recorded series. It does not ask the store for the names of metrics: to answer
// that, a store reads the labels of all series.
func (s *Source) hourQueries(ctx context.Context, r snap.Range, to int64, wants []snap.Want) (*queries, error) {
	exact, err := s.probes.get(ctx, struct{}{}, s.probe)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	q := &queries{exact: exact, naming: naming{metrics: ruled}, edges: "=" + quote(knownEdges)}
	q.matchers = q.restrict(s.config.Labels)
	q, err = s.narrow(ctx, q, r, to, wants)
	return q, s.failed(ctx, err)
}

// loadHours asks for a snapshot. It returns none if it cannot be made of recorded hours.
func (s *Source) loadHours(ctx context.Context, r snap.Range, to int64, q *queries, sums bool) (
	*snap.Snapshot, error,
) {
	hours, err := s.recording(ctx, q, r.From, to)
	if err != nil || hours.from-r.From > 2*hour || to-hours.to > 2*hour+recordDelay {
		return nil, err
	}
	results, known, before := s.askHours(ctx, q, r, hours, sums)
	if err := results[volume].err; err != nil || known.err != nil {
		return nil, err
	}
	b := newBuilder(&q.naming)
	b.hourly = true
	answer := &snap.Snapshot{
		Range: snap.Range{From: hours.from, To: hours.to, Step: r.Step}, Seconds: float64(hours.to - hours.from),
		Generation: s.Version().Generation, Remote: true, History: nothing{},
	}
	answer.Partial = b.take(results[:], before)
	if !sums {
		b.finish(answer, before)
	} else if !b.group(answer, known, before) {
		return nil, nil
	}
	answer.Kinds = b.kinds
	return answer, nil
}

// askHours sends the queries of a snapshot. Without sums, the edges are those with figures, and none are listed.
func (s *Source) askHours(ctx context.Context, q *queries, r snap.Range, hours recording, sums bool) (
	all [metrics]result, known, before result,
) {
	window := hours.last - hours.first + 1
	a := s.newAsking(ctx)
	for m := range metrics {
		function, length := "sum_over_time", window
		if m == active {
			function, length = "last_over_time", 1
		}
		name, labels := recorded[m], labelsOf(m)
		if sums {
			name, labels = byNamespace[m], namespaceLabels(m)
		}
		a.send(q.recordedBy(labels, function, name, length), hours.last, &all[m])
	}
	if sums {
		a.send(q.recordedBy(reportLabels(), "last_over_time", knownEdges, window), hours.last, &known)
	}
	a.running.Go(func() { before = s.before(ctx, q, r, hours.from, hours.last) })
	a.running.Wait()
	return all, known, before
}
