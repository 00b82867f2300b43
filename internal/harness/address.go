//go:build linux

package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// FreeAddress returns a loopback address with a port on which nothing listens. It is never on 127.0.0.1, where the
// kernel could give the port to an outgoing connection before the caller listens on it.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp4", fmt.Sprintf("127.77.%d.%d:0", rand.IntN(256), 1+rand.IntN(254)))
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
