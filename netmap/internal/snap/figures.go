package snap

// Figures are what was counted. Tx is from the client to the server. Times are in seconds.
type Figures struct {
	Tx, Rx, Retransmits          uint64
	RTTs, Handshakes             uint64 // samples
	RTTSum, HandshakeSum, RTTMax float64
	Attempts, Closed, Active     uint64
	Lookups                      uint64 // of DNS, those without a response too
	LookupTimes                  uint64 // samples
	LookupSum                    float64
	Outcomes                     []Outcome // what did not end well, each kind once
}

// A Kind is a way in which attempts, connections or look-ups end. Error is error.type, for a look-up its response code
// or [NoResponse]; empty if they ended well.
type Kind struct {
	Of    What // Attempts, Closed or Lookups
	Error string
}

// NoResponse is how a look-up ends that no server has answered.
const NoResponse = "timed_out"

// noSuchName is the response that a name does not exist. It is a right answer: resolvers try the names of a search list
// in turn.
const noSuchName = "NXDOMAIN"

// Fault reports whether something went wrong.
func (k Kind) Fault() bool { return k.Error != "" && (k.Of != Lookups || k.Error != noSuchName) }

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
	f.Lookups += other.Lookups
	f.LookupTimes += other.LookupTimes
	f.LookupSum += other.LookupSum
	for _, o := range other.Outcomes {
		f.Count(o.Kind, o.N)
	}
}

// Idle reports whether nothing was counted, and no connection is open.
func (f *Figures) Idle() bool {
	counted := f.Tx | f.Rx | f.Retransmits | f.RTTs | f.Attempts | f.Closed | f.Active | f.Handshakes | f.Lookups
	return counted|f.LookupTimes == 0 && len(f.Outcomes) == 0
}
