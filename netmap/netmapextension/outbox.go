package netmapextension

import (
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxUnread is how many bytes of answers wait at most until clients read them: at least a dozen of the largest answers.
const maxUnread = 32 << 20

// An outbox holds the answers that are being written. If they are more than limit bytes, it closes the connection that
// the oldest of them is written to. So clients that do not read neither fill the memory nor block other clients.
type outbox struct {
	limit int

	mu     sync.Mutex
	bytes  int
	oldest []*delivery // first
}

// A delivery is an answer that is being written.
type delivery struct {
	bytes int
	abort func()
}

// write sends an answer.
func (o *outbox) write(w http.ResponseWriter, e encoded, etag string) {
	d := o.add(len(e.body), func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) })
	defer o.remove(d)
	e.write(w, etag)
}

func (o *outbox) add(bytes int, abort func()) *delivery {
	d := &delivery{bytes, abort}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.oldest = append(o.oldest, d)
	o.bytes += bytes
	for o.bytes > o.limit && o.oldest[0] != d {
		o.oldest[0].abort()
		o.drop(0)
	}
	return d
}

// remove is called before the handler returns: after that, its writer must not be used any more.
func (o *outbox) remove(d *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.oldest, d); i >= 0 {
		o.drop(i)
	}
}

func (o *outbox) drop(i int) {
	o.bytes -= o.oldest[i].bytes
	o.oldest = slices.Delete(o.oldest, i, i+1)
}
