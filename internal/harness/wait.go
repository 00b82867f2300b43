//go:build linux

package harness

import (
	"fmt"
	"time"
)

// Until waits for a condition, which it tests every 5 ms. After the limit it returns an error that names what was
// waited for.
func Until(limit time.Duration, what string, holds func() bool) error {
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for %s: not within %v", what, limit)
		}
	}
	return nil
}
