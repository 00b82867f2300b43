// Command traced is an application that OpenTelemetry's Go SDK instruments. It is built for the tests of backends, in a
// module of its own, and serves and sends requests as the test orders:
//
//	traced SOCKET
//
// Its spans and logs go to the OTLP receiver at the unix socket, which needs no network. An order is a line of JSON at
// the standard input, such as {"Listen": ":9080"} or {"Get": "http://10.96.1.3/", "Keep": true}; an answer is a line at
// the standard output. A request is answered after the duration in its query's wait, and after the CPU time in its work.
// A request with a fail in its query is answered by status 500, and its text is logged as an error; one with a reset has
// its connection reset instead. Spans of a server have the path in their name. The program ends with its input.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/log"
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
	logger, stop, err := instrument(ctx, "unix://"+socket)
	if err != nil {
		return fmt.Errorf("connect to the collector: %w", err)
	}
	orders, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return stop(ctx)
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		a, err := execute(ctx, logger, o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answer an order: %w", err)
		}
	}
}

// instrument sends each span and each log record as soon as it is made. It returns the function that ends it.
//
// The logger is not slog's default: package log writes to that, and the SDK reports to package log what it cannot send.
func instrument(ctx context.Context, endpoint string) (*slog.Logger, func(context.Context) error, error) {
	spans, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure())
	if err != nil {
		return nil, nil, err
	}
	records, err := otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(endpoint), otlploggrpc.WithInsecure())
	if err != nil {
		return nil, nil, errors.Join(err, spans.Shutdown(ctx))
	}
	traces := trace.NewTracerProvider(trace.WithSyncer(spans))
	otel.SetTracerProvider(traces)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	logs := log.NewLoggerProvider(log.WithProcessor(log.NewSimpleProcessor(records)))
	stop := func(ctx context.Context) error { return errors.Join(traces.Shutdown(ctx), logs.Shutdown(ctx)) }
	return otelslog.NewLogger("traced", otelslog.WithLoggerProvider(logs)), stop, nil
}

func execute(ctx context.Context, logger *slog.Logger, o order) (answer, error) {
	if o.Listen != "" {
		return answer{}, listen(o.Listen, logger)
	}
	return get(ctx, o)
}

// listen returns when connections are accepted.
func listen(address string, logger *slog.Logger) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	handler := otelhttp.NewHandler(server{logger}, "serve", otelhttp.WithSpanNameFormatter(
		func(_ string, r *http.Request) string { return r.Method + " " + r.URL.Path }))
	go func() { _ = http.Serve(l, handler) }()
	return nil
}

// A server answers requests.
type server struct{ *slog.Logger }

func (s server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	time.Sleep(wait)
	if err := work(r.URL.Query().Get("work")); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if text := r.URL.Query().Get("fail"); text != "" {
		s.ErrorContext(r.Context(), text)
		if r.URL.Query().Has("reset") {
			reset(w)
			return
		}
		http.Error(w, "failed", http.StatusInternalServerError)
		return
	}
	s.InfoContext(r.Context(), "served")
	_, _ = io.WriteString(w, "done\n")
}

// work computes for as long as a text says, if it says something.
func work(text string) error {
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	for begun := time.Now(); err == nil && time.Since(begun) < d; {
	}
	return err
}

// reset ends a connection as the kernel does for a process that has crashed with unread data: without an answer.
func reset(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_ = connection.(*net.TCPConn).SetLinger(0)
	_ = connection.Close()
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
