package main

import "syscall"

// apart keeps the interrupt of the terminal from the child, so that top can end it in order, and ends the child where top
// is killed.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
