package kernel

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/netconn/netconn/internal/clock"
)

// ring is one of the streams of records.
type ring struct {
	reader  *ringbuf.Reader
	record  ringbuf.Record
	decoder *decoder
}

func openRing(m *ebpf.Map) (*ring, error) {
	reader, err := ringbuf.NewReader(m)
	if err != nil {
		return nil, fmt.Errorf("open ring %s: %w", m, err)
	}
	reader.SetDeadline(time.Unix(1, 0)) // in the past: to read never waits
	return &ring{reader: reader, decoder: newDecoder()}, nil
}

// drain hands over the waiting records and returns their number. It stops after the size of one ring, so that a flood
// of connections cannot hold it forever.
func (r *ring) drain(h Handler) (records int, err error) {
	if r.reader.AvailableBytes() == 0 {
		return 0, nil
	}
	r.decoder.clock = clock.Read()
	for left := r.reader.BufferSize(); left > 0 && r.reader.AvailableBytes() > 0; left -= len(r.record.RawSample) {
		err := r.reader.ReadInto(&r.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return records, nil
		}
		if err != nil {
			return records, fmt.Errorf("read ring: %w", err)
		}
		if err := r.decoder.decode(r.record.RawSample, h); err != nil {
			return records, err
		}
		records++
	}
	return records, nil
}
