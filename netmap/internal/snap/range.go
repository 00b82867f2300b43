package snap

// Range is a time range in whole steps: From is in it, To is not.
type Range struct{ From, To, Step int64 }

// Len returns the number of steps.
func (r Range) Len() int { return int((r.To - r.From) / r.Step) }

// Index returns the index of the step that begins at a time.
func (r Range) Index(at int64) int { return int((at - r.From) / r.Step) }

// A Span is how far back a source has figures in steps of one length.
type Span struct{ Step, Length int64 }

// Spans are those of a source, the shortest first. There is at least one.
type Spans []Span

// Range returns the steps of a window that ends at a time, or now if end is 0 or later than now. It takes the shortest
// steps that reach back far enough.
func (s Spans) Range(now, window, end int64) Range {
	if end <= 0 || end > now {
		end = now
	}
	for _, span := range s[:len(s)-1] {
		if r := span.align(window, end); r.From > now-span.Length {
			return r
		}
	}
	return s[len(s)-1].align(window, end)
}

// Longest returns how far back the source has figures.
func (s Spans) Longest() int64 { return s[len(s)-1].Length }

func (s Span) align(window, end int64) Range {
	to := end - end%s.Step + s.Step
	return Range{From: to - (window+s.Step-1)/s.Step*s.Step, To: to, Step: s.Step}
}
