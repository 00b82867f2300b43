package snap

// A Load is what the containers and processes of some ends use: the sums of their last samples, and the share of its
// limit that the container nearest to its limit uses. A field is nil if it is not known of any of them.
type Load struct {
	Resources   int      `json:"resources"`
	CPU         *float64 `json:"cpu"` // CPUs
	CPUShare    *float64 `json:"cpu_share"`
	Memory      *float64 `json:"memory"` // bytes
	MemoryShare *float64 `json:"memory_share"`
}
