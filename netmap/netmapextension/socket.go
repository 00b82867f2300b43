package netmapextension

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/collector/config/confignet"
)

// removeStaleSocket removes the socket file that a killed collector left behind: nothing listens on it any longer. It
// leaves other files, and sockets in use, to the error of listening.
func (c *Config) removeStaleSocket() error {
	path := c.NetAddr.Endpoint
	if c.NetAddr.Transport != confignet.TransportTypeUnix || strings.HasPrefix(path, "@") { // "@": it has no file
		return nil
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return nil
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		return conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the socket of a collector that has ended: %w", err)
	}
	return nil
}
