package snap

// Figures are what was counted. Tx is from the client to the server. Times are in seconds.
type Figures struct {
	Tx, Rx, Retransmits          uint64
	RTTs, Handshakes             uint64 // samples
	RTTSum, HandshakeSum, RTTMax float64
	Attempts, Closed, Active     uint64
	Outcomes                     []Outcome // failed attempts and broken connections, each kind once
}

// A Kind is a way in which attempts or connections end. Error is error.type; empty if they ended well.
type Kind struct {
	Closed bool // of closed connections, else of attempts
	Error  string
}

// Outcome is how often something ended in one way. Kind is an index into the kinds of a snapshot.
type Outcome struct {
	Kind uint8
	N    uint64
}

// Count counts n more of a kind.
func (f *Figures) Count(kind uint8, n uint64) {
	for i := range f.Outcomes {
		if f.Outcomes[i].Kind == kind {
			f.Outcomes[i].N += n
			return
		}
	}
	f.Outcomes = append(f.Outcomes, Outcome{kind, n})
}

// Add adds the figures of another edge. The connections that are open on both are added up too.
func (f *Figures) Add(other *Figures) {
	f.Tx += other.Tx
	f.Rx += other.Rx
	f.Retransmits += other.Retransmits
	f.RTTs += other.RTTs
	f.RTTSum += other.RTTSum
	f.RTTMax = max(f.RTTMax, other.RTTMax)
	f.Handshakes += other.Handshakes
	f.HandshakeSum += other.HandshakeSum
	f.Attempts += other.Attempts
	f.Closed += other.Closed
	f.Active += other.Active
	for _, o := range other.Outcomes {
		f.Count(o.Kind, o.N)
	}
}

// Idle reports whether nothing was counted, and no connection is open.
func (f *Figures) Idle() bool {
	return f.Tx|f.Rx|f.Retransmits|f.RTTs|f.Attempts|f.Closed|f.Active|f.Handshakes == 0 && len(f.Outcomes) == 0
}
