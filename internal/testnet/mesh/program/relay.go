//go:build linux

package program

import (
	"io"
	"sync"
)

// relay carries bytes both ways until both ends have closed. An end that breaks breaks the other too.
func relay(a, b countedConn) {
	var both sync.WaitGroup
	both.Go(func() { carry(a, b) })
	both.Go(func() { carry(b, a) })
	both.Wait()
	a.Close()
	b.Close()
}

// carry ends one direction when its source does: a half-closed connection stays half closed on the other hop.
func carry(from, to countedConn) {
	if _, err := io.Copy(to, from); err != nil {
		_, _ = from.tcp.SetLinger(0), to.tcp.SetLinger(0) // what is under way is lost, and the ends are to know
		from.Close()
		to.Close()
		return
	}
	_ = to.CloseWrite() // it may be closed already
}
