//go:build unix

package netmapextension

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/netconn/netconn/netmap/netmapextension/internal/metadata"
)

// onSocket starts a map on a socket file, and returns the error of the start.
func onSocket(t *testing.T, path string) error {
	t.Helper()
	c := createDefaultConfig().(*Config)
	c.NetAddr.Transport, c.NetAddr.Endpoint = confignet.TransportTypeUnix, path
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	n := newNetmap(c, extensiontest.NewNopSettings(metadata.Type).TelemetrySettings)
	err := n.Start(t.Context(), componenttest.NewNopHost())
	t.Cleanup(func() { _ = n.Shutdown(context.Background()) })
	return err
}

// The socket file of a killed collector does not keep the next one from starting.
func TestTheSocketOfAKilledCollector(t *testing.T) {
	path := filepath.Join(t.TempDir(), "map.sock")
	killed, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	killed.SetUnlinkOnClose(false)
	killed.Close()
	if err := onSocket(t, path); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the map does not listen: %v", err)
	} else {
		c.Close()
	}
}

// A socket in use, and a file that is no socket, stay as they are.
func TestWhatIsNotAStaleSocketStays(t *testing.T) {
	folder := t.TempDir()
	used, file := filepath.Join(folder, "used.sock"), filepath.Join(folder, "file")
	l, err := net.Listen("unix", used)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{used, file} {
		if err := onSocket(t, path); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("%s: %v, want that it is in use", path, err)
		}
	}
	if c, err := net.Dial("unix", used); err != nil {
		t.Errorf("the socket of another process is gone: %v", err)
	} else {
		c.Close()
	}
	if text, _ := os.ReadFile(file); string(text) != "kept" {
		t.Errorf("the file has %q", text)
	}
}
