// Command traced is an application that OpenTelemetry's Go SDK instruments. It is built for the tests of backends, in a
// module of its own, and serves and sends requests as the test orders:
//
//	traced SOCKET
//
// Its spans go to the OTLP receiver at the unix socket, which needs no network. An order is a line of JSON at the
// standard input, such as {"Listen": ":9080"} or {"Get": "http://10.96.1.3/", "Keep": true}; an answer is a line at
// the standard output. A request is answered after the duration in its query's wait. The program ends with its input.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
)

// An order is to listen at an address, or to send a request. A request that keeps its connection uses the one that the
// last such request to the same address has left.
type order struct {
	Listen, Get string
	Keep        bool
}

// An answer has the trace of the request.
type answer struct{ Trace, Error string }

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "traced:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, socket string) error {
	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint("unix://"+socket), otlptracegrpc.WithInsecure())
	if err != nil {
		return fmt.Errorf("connect to the collector: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithSyncer(exporter))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	orders, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return provider.Shutdown(ctx)
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		a, err := execute(ctx, o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answer an order: %w", err)
		}
	}
}

func execute(ctx context.Context, o order) (answer, error) {
	if o.Listen != "" {
		return answer{}, listen(o.Listen)
	}
	return get(ctx, o)
}

// listen returns when connections are accepted.
func listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	go func() { _ = http.Serve(l, otelhttp.NewHandler(http.HandlerFunc(serve), "serve")) }()
	return nil
}

func serve(w http.ResponseWriter, r *http.Request) {
	wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(wait)
	_, _ = io.WriteString(w, "done\n")
}

// get sends a request in a trace of its own.
func get(ctx context.Context, o order) (answer, error) {
	ctx, span := otel.Tracer("traced").Start(ctx, "visit")
	defer span.End()
	a := answer{Trace: span.SpanContext().TraceID().String()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Get, nil)
	if err != nil {
		return a, err
	}
	request.Close = !o.Keep
	response, err := client.Do(request)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return a, fmt.Errorf("get %s: %s: %s (%w)", o.Get, response.Status, body, err)
	}
	return a, nil
}

var client = &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport), Timeout: time.Minute}
