package owner

// Reason is why a process could not be placed.
type Reason uint8

const (
	none       Reason = iota // it could
	NoCgroup                 // the kernel did not know the process that opened the connection
	Gone                     // no cgroup has this id now
	NoMount                  // the cgroups of this hierarchy cannot be read; see Warnings
	Unreadable               // the kernel refused for another reason
	Deferred                 // a walk is needed, and there were enough of them since the last Expire
	Reasons                  // how many there are
)

// String returns the value of the attribute in the receiver's own telemetry.
func (r Reason) String() string {
	return [Reasons]string{"none", "no_cgroup", "gone", "no_mount", "unreadable", "deferred"}[r]
}

// Stats counts what a Resolver did since it was made; the last three are how much it remembers now.
type Stats struct {
	Resolved    uint64          // calls of Resolve whose cgroup has a path
	Unresolved  [Reasons]uint64 // calls of Resolve whose cgroup has none, by reason
	Unlearned   uint64          // calls of Learn without a usable path: too long, or relative
	Refused     uint64          // answers that were not remembered because the memory was full
	FirstUnread uint64          // containers named after the first connection, because the first process was unreadable
	Walks       uint64          // searches through all cgroups, because CAP_DAC_READ_SEARCH is missing

	Cgroups, Containers, Programs int
}

// Stats returns the counts as they are now.
func (r *Resolver) Stats() Stats {
	s := r.stats
	s.Cgroups, s.Containers, s.Programs = len(r.groups), len(r.containers), len(r.programs)
	return s
}
