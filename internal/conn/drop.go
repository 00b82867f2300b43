package conn

import "github.com/netconn/netconn/internal/names"

// DropReason is why the kernel dropped a packet; 0: it did not.
type DropReason uint8

// DropReasonOf returns the reason with an index of names.DropReason.
func DropReasonOf(i int) DropReason { return DropReason(i + 1) }

// String returns the value of the attribute netconn.drop.reason.
func (r DropReason) String() string {
	if r == 0 {
		return ""
	}
	return names.DropReason(int(r) - 1)
}
