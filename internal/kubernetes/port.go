package kubernetes

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/netconn/netconn/internal/conn"
)

// port is a port of TCP, or with udpPort one of UDP. A service may have 53 of both, and a node a port of two services.
type port uint32

const (
	noPort  port = 0
	udpPort port = 1 << 16
)

// portOf returns the port that a query is about.
func portOf(q conn.Query) port {
	if q.Protocol == conn.UDP && q.Port != 0 {
		return udpPort | port(q.Port)
	}
	return port(q.Port)
}

// portNumbered returns a port of an object; noPort: it has none, or one of another protocol.
func portNumbered(protocol corev1.Protocol, number int32) port {
	switch {
	case number <= 0 || number > 65535:
		return noPort
	case protocol == "" || protocol == corev1.ProtocolTCP:
		return port(number)
	case protocol == corev1.ProtocolUDP:
		return udpPort | port(number)
	}
	return noPort
}
