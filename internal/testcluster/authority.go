//go:build linux

package testcluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// An authority signs the certificates of a cluster.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

// newAuthority makes an authority. It writes the certificates of the authority and of the API server, and the key that
// signs tokens of service accounts, into a folder.
func newAuthority(t testing.TB, dir string, address netip.Addr) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t)}
	a.cert = template("netconn-test-ca")
	a.cert.IsCA, a.cert.BasicConstraintsValid = true, true
	a.cert.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	a.pem = a.sign(a.cert, a.key)
	server := template("kube-apiserver")
	server.IPAddresses = []net.IP{address.AsSlice(), net.IPv4(10, 96, 0, 1)} // the second: the service kubernetes
	server.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	key := newKey(t)
	for name, text := range map[string][]byte{
		"ca.crt": a.pem, "server.crt": a.sign(server, key), "server.key": keyPEM(t, key), "tokens.key": keyPEM(t,
			newKey(t)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// client returns the credentials of a user.
func (a *authority) client(user, group string) rest.TLSClientConfig {
	a.t.Helper()
	c := template(user)
	c.Subject.Organization = []string{group}
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	key := newKey(a.t)
	return rest.TLSClientConfig{CAData: a.pem, CertData: a.sign(c, key), KeyData: keyPEM(a.t, key)}
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func (a *authority) sign(c *x509.Certificate, key crypto.Signer) []byte {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

// insecure does not verify the server: before there is a client, it is only asked whether it is ready.
func insecure() http.RoundTripper {
	// on loopback, by the test
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec
}
