package conn

// Loss is a kind of what the kernel side could not report one by one because a buffer was full.
type Loss uint8

const (
	LostOpenings    Loss = iota // connections established that were never reported
	LostFailures                // connections failed that were never reported
	LostCloses                  // connections ended that were never reported
	LostKnown                   // ends of connections that were reported before: these still look open
	LostSent                    // payload bytes
	LostReceived                // payload bytes
	LostRetransmits             // segments
	LossKinds                   // how many there are
)

// String returns a name: for those of connections, the value of the attribute netconn.end.
func (l Loss) String() string {
	return [LossKinds]string{"opened", "failed", "closed", "known", "sent", "received", "retransmits"}[l]
}

// Losses are sums of what could not be reported one by one, which only grow. They keep totals true.
type Losses [LossKinds]uint64

// Since returns how much the sums have grown. A sum that fell has not grown.
func (l Losses) Since(earlier Losses) Losses {
	for k := range l {
		l[k] -= min(l[k], earlier[k])
	}
	return l
}
