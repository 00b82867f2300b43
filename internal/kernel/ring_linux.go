package kernel

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// ring is one of the two streams of records.
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
	reader.SetDeadline(time.Unix(1, 0)) // long past: never wait, as the kernel wakes nobody
	return &ring{reader: reader, decoder: newDecoder()}, nil
}

// drain hands over the records that wait, and returns how many there were. It stops after one ring's worth, so that a flood of connections
// does not keep it for ever.
func (r *ring) drain(h Handler) (records int, err error) {
	for left := r.reader.BufferSize(); left > 0; left -= len(r.record.RawSample) {
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
