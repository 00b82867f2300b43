//go:build linux

package e2e

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	rpc "google.golang.org/grpc/status"
)

// With components/token the gateway takes telemetry from agents, which have a token, and from no other client. While the
// token is replaced, it takes the old one and the new one.
func TestDeployToken(t *testing.T) {
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "accepted"), "old-token\nnew-token\n")
	sink := newSignals(t)
	t.Setenv("TOKENS", folder)
	gateway := runGateway(t, sink.address, "file:"+root+"/deploy/components/token/server.yaml")

	for name, authorization := range map[string]string{
		"without a token": "", "with another token": "Bearer other-token", "with a part of a token": "Bearer old",
		"with another scheme": "Basic old-token", "with an empty token": "Bearer ",
	} {
		if code := rpc.Code(sendAs(t, gateway, authorization, fortune)); code != codes.Unauthenticated {
			t.Errorf("%s: %v", name, code)
		}
	}
	for i, token := range []string{"old-token", "new-token"} {
		t.Setenv("TOKEN", token)
		agent := runAgentCollector(t, gateway, "file:"+root+"/deploy/components/token/client.yaml")
		if err := exportMetrics(t, agent.netconn, oneMetric(netconnScope, "netconn.io", int64(41+i))); err != nil {
			t.Fatal(err)
		}
		until(t, "the metric of an agent with "+token, func() bool {
			got := sink.now("netconn.io")
			return len(got) > 0 && got[len(got)-1].value == int64(41+i)
		})
	}
	for _, n := range sink.now("netconn.io") {
		if n.value != 41 && n.value != 42 {
			t.Errorf("%d was taken from a client without a token", n.value)
		}
	}
}

// sendAs sends a metric with an authorization header, or without if it is empty.
func sendAs(t *testing.T, address, authorization string, value int64) error {
	t.Helper()
	ctx := t.Context()
	if authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
	}
	client := pmetricotlp.NewGRPCClient(dialOTLP(t, address))
	_, err := client.Export(ctx, pmetricotlp.NewExportRequestFromMetrics(oneMetric(netconnScope, "netconn.io", value)))
	return err
}

// With components/password the map answers only with the password of a user: its page and its API.
func TestDeployPassword(t *testing.T) {
	folder := t.TempDir()
	// The password of ann is "open sesame".
	writeFile(t, filepath.Join(folder, "htpasswd"), "ann:$2a$05$dfzUWTVIGdYdgGD2oTkzneRONCyhlx/waP5KuhEsKvwJ0kt6STk4y\n")
	page, health := freeAddress(t), freeAddress(t)
	launch(t, nil, []string{"NETCONN_MAP=" + page, "OTLP_LISTEN=" + freeAddress(t), "HEALTH_LISTEN=" + health, "MAP_USERS=" + folder},
		"file:"+root+"/deploy/components/map/collector.yaml", "file:"+root+"/deploy/components/password/map.yaml",
		"yaml:service::telemetry::metrics::level: none")
	until(t, "health", func() bool { return healthy(health) })

	for _, path := range []string{"/", "/api/v1/status", "/api/v1/graph", "/api/v1/alerts", "/api/v1/signals"} {
		for _, c := range [][2]string{{"", ""}, {"ann", "guess"}, {"ann", ""}, {"bob", "open sesame"}} {
			if got := statusFor(t, http.DefaultClient, "http://"+page+path, c[0], c[1]); got != http.StatusUnauthorized {
				t.Errorf("%s for %q with %q: %d", path, c[0], c[1], got)
			}
		}
	}
	for _, path := range []string{"/", "/api/v1/status", "/api/v1/graph"} {
		if got := statusFor(t, http.DefaultClient, "http://"+page+path, "ann", "open sesame"); got != http.StatusOK {
			t.Errorf("%s for ann: %d", path, got)
		}
	}
}

// A map on a unix socket opens for its own user and for root, and no other user of the machine.
func TestMapOnSocket(t *testing.T) {
	folder := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(folder), 0o755), os.Chmod(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	socket, health := filepath.Join(folder, "map.sock"), freeAddress(t)
	launch(t, nil, []string{"NETCONN_MAP=" + socket, "OTLP_LISTEN=" + freeAddress(t), "HEALTH_LISTEN=" + health},
		"file:"+root+"/deploy/components/map/collector.yaml", "yaml:extensions::netmap::transport: unix",
		"yaml:service::telemetry::metrics::level: none")
	until(t, "health", func() bool { return healthy(health) })
	throughSocket := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	if got := statusFor(t, throughSocket, "http://localhost/api/v1/status", "", ""); got != http.StatusOK {
		t.Errorf("for root: %d", got)
	}
	if err := connectAsNobody(socket); !errors.Is(err, unix.EACCES) {
		t.Errorf("another user: %v", err)
	}
}

// connectAsNobody connects to a unix socket with the rights of a user without any.
func connectAsNobody(path string) error {
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread has other rights now, and ends with the goroutine
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			ended <- err
			return
		}
		defer unix.Close(fd)
		user := unprivileged()
		if err := errors.Join(unix.Setfsgid(int(user.Gid)), unix.Setfsuid(int(user.Uid))); err != nil {
			ended <- err
			return
		}
		ended <- unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}()
	return <-ended
}

// statusFor returns the status of an answer to a user; 0 if there is none.
func statusFor(t *testing.T, client *http.Client, url, user, password string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Errorf("%s: %v", url, err)
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
