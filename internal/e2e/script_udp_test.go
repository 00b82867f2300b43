//go:build linux

package e2e

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

func (s script) udpListen(name, address string) error {
	c, err := net.ListenPacket("udp", address)
	if err == nil {
		s.datagrams[name] = c.(*net.UDPConn)
	}
	return err
}

func (s script) udpDial(name, address string) error {
	c, err := net.Dial("udp", address)
	if err == nil {
		s.datagrams[name] = c.(*net.UDPConn)
	}
	return err
}

func (s script) udpSend(name, bytes string) error {
	n, err := strconv.Atoi(bytes)
	if err == nil {
		_, err = s.datagrams[name].Write(make([]byte, n))
	}
	return err
}

func (s script) udpSendTo(name, address, bytes string) error {
	to, err := netip.ParseAddrPort(address)
	n, sizeErr := strconv.Atoi(bytes)
	if err == nil && sizeErr == nil {
		_, err = s.datagrams[name].WriteToUDPAddrPort(make([]byte, n), to)
	}
	return errors.Join(err, sizeErr)
}

func (s script) udpReceive(name string) error {
	c := s.datagrams[name]
	if err := c.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1<<16))
	return err
}

// udpAnswer answers one datagram with others of these sizes.
func (s script) udpAnswer(name string, sizes []string) error {
	c := s.datagrams[name]
	if err := c.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		return err
	}
	_, from, err := c.ReadFromUDPAddrPort(make([]byte, 1<<16))
	for _, bytes := range sizes {
		n, sizeErr := strconv.Atoi(bytes)
		if err != nil || sizeErr != nil {
			break
		}
		_, err = c.WriteToUDPAddrPort(make([]byte, n), from)
	}
	return err
}
