//go:build linux

package load

import "fmt"

// idle has both ends of its connections in one process: they only need to be open.
type idle struct {
	address string
	ends    [][2]int
	report  Report
}

func (h *idle) do(o Order) (Report, error) {
	var err error
	switch o.Do {
	case "open":
		err = h.open(o.Count)
	case "touch":
		err = h.touch()
	case "close":
		h.close()
	default:
		err = fmt.Errorf("understand %q: only open, touch and close are possible", o.Do)
	}
	return h.report, err
}

// open opens connections. Each carries one request and one response.
func (h *idle) open(count int) error {
	at, err := endpoint(h.address)
	if err != nil {
		return err
	}
	l, err := listen(at)
	if err != nil {
		return err
	}
	defer closeSocket(l)
	for range count {
		client, err := connect(at)
		if err != nil {
			return err
		}
		server, err := accept(l)
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		h.ends = append(h.ends, [2]int{client, server})
		h.report.Connections++
	}
	return h.touch()
}

// touch has every connection carry one more request and response.
func (h *idle) touch() error {
	var buffer [ResponseSize]byte
	for _, ends := range h.ends {
		client, server := ends[0], ends[1]
		for _, step := range []error{
			writeFull(client, buffer[:RequestSize]), readFull(server, buffer[:RequestSize]),
			writeFull(server, buffer[:ResponseSize]), readFull(client, buffer[:ResponseSize]),
		} {
			if step != nil {
				return step
			}
		}
		h.report.Sent += RequestSize
		h.report.Received += ResponseSize
	}
	return nil
}

func (h *idle) close() {
	for _, ends := range h.ends {
		closeSocket(ends[0])
		closeSocket(ends[1])
	}
	h.ends = nil
}
