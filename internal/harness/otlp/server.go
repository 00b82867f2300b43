// Package otlp is the other end of a collector under test: a server that receives metrics, logs and traces over
// OTLP/gRPC and hands each export to a function.
//
// The functions are called one at a time, while the collector waits for the answer. An error of theirs refuses the
// export, and the first one is kept; see Err.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // the exporter compresses with it by default
	"google.golang.org/grpc/status"
)

// Handlers receive exports. A signal without a handler is refused.
type Handlers struct {
	Metrics func(pmetric.Metrics) error
	Logs    func(plog.Logs) error
	Traces  func(ptrace.Traces) error
}

// A Server is an OTLP receiver.
type Server struct {
	Address string

	server *grpc.Server
	served chan error
	mu     sync.Mutex // one export at a time
	err    error
}

// Listen starts a server. Without options it has the limits that a receiver has by default, as of a message's size.
func Listen(address string, h Handlers, options ...grpc.ServerOption) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for OTLP: %w", err)
	}
	s := &Server{Address: l.Addr().String(), server: grpc.NewServer(options...), served: make(chan error, 1)}
	if h.Metrics != nil {
		pmetricotlp.RegisterGRPCServer(s.server, &metrics{to: s, handle: h.Metrics})
	}
	if h.Logs != nil {
		plogotlp.RegisterGRPCServer(s.server, &logs{to: s, handle: h.Logs})
	}
	if h.Traces != nil {
		ptraceotlp.RegisterGRPCServer(s.server, &traces{to: s, handle: h.Traces})
	}
	go func() { s.served <- s.server.Serve(l) }()
	return s, nil
}

// ListenPoints starts a server of metrics on loopback that hands over the points of the sums. It accepts larger
// messages than a receiver does by default: a collector that has run for hours has many series.
func ListenPoints(handle func([]Point)) (*Server, error) {
	return Listen("127.0.0.1:0", Handlers{Metrics: func(md pmetric.Metrics) error {
		points, err := Points(md)
		if err == nil {
			handle(points)
		}
		return err
	}}, grpc.MaxRecvMsgSize(256<<20))
}

// Close ends the server. It must not be called twice.
func (s *Server) Close() error {
	s.server.Stop()
	if err := <-s.served; !errors.Is(err, grpc.ErrServerStopped) { // it had not begun
		return err
	}
	return nil
}

// Err returns the first error of a handler.
func (s *Server) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// receive hands an export to its handler.
func (s *Server) receive(handle func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := handle()
	if err == nil {
		return nil
	}
	if s.err == nil {
		s.err = err
	}
	return status.Error(codes.InvalidArgument, err.Error()) // which no exporter sends again
}

type metrics struct {
	pmetricotlp.UnimplementedGRPCServer
	to     *Server
	handle func(pmetric.Metrics) error
}

func (m *metrics) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	return pmetricotlp.NewExportResponse(), m.to.receive(func() error { return m.handle(r.Metrics()) })
}

type logs struct {
	plogotlp.UnimplementedGRPCServer
	to     *Server
	handle func(plog.Logs) error
}

func (l *logs) Export(_ context.Context, r plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	return plogotlp.NewExportResponse(), l.to.receive(func() error { return l.handle(r.Logs()) })
}

type traces struct {
	ptraceotlp.UnimplementedGRPCServer
	to     *Server
	handle func(ptrace.Traces) error
}

func (t *traces) Export(_ context.Context, r ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	return ptraceotlp.NewExportResponse(), t.to.receive(func() error { return t.handle(r.Traces()) })
}
