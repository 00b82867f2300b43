//go:build linux

package program

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// An App is a service of HTTP/1.1: it answers each request once all that it calls have answered. Without a port it is
// only a client.
type App struct {
	Port      uint16   `json:",omitempty"` // on every address of its namespace
	Calls     []string `json:",omitempty"` // URLs, one after the other
	Answer    int      // bytes of the answer's body
	KeepAlive bool     // of the connections that it opens: else each is for one request

	client *http.Client
}

// An Ask is an order for a client. It is done when all is answered.
type Ask struct {
	URL      string
	Times    int
	Parallel int           // requests at a time; 0: one
	Every    time.Duration // from one request to the next; 0: as soon as the one before is answered
}

func (a *App) start(count *counter) error {
	a.client = &http.Client{Transport: &http.Transport{
		DisableKeepAlives:   !a.KeepAlive,
		MaxIdleConnsPerHost: 100,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return nil, err
			}
			c, err := dial(ctx, netip.Addr{}, to)
			if err != nil {
				return nil, err
			}
			return count.dialled(c), nil
		},
	}}
	if a.Port == 0 {
		return nil
	}
	listeners, err := listen(a.Port, false)
	if err != nil {
		return err
	}
	for _, l := range listeners {
		go func() { _ = http.Serve(countingListener{l, count, a.Port}, a) }() // until the process ends
	}
	return nil
}

// ServeHTTP calls the others, and answers.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, url := range a.Calls {
		if err := a.get(r.Context(), url); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
	}
	_, _ = io.WriteString(w, strings.Repeat("x", a.Answer)) // a client that has gone is no concern
}

func (a *App) get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("get %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s: %s", url, response.Status, body)
	}
	return nil
}

// ask executes an order, and returns the first error.
func (a *App) ask(o Ask) error {
	var first error
	var once sync.Once
	var all sync.WaitGroup
	turns := make(chan struct{})
	for range max(1, o.Parallel) {
		all.Go(func() {
			for range turns {
				if err := a.get(context.Background(), o.URL); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	for range o.Times {
		turns <- struct{}{}
		time.Sleep(o.Every)
	}
	close(turns)
	all.Wait()
	return first
}

// A countingListener counts what it accepts.
type countingListener struct {
	*net.TCPListener
	count *counter
	port  uint16
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	original, err := originalDestination(c)
	if err != nil {
		return nil, err
	}
	return l.count.accepted(c, l.port, original), nil
}
