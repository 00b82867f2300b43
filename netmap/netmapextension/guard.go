package netmapextension

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const (
	maxHeaderBytes = 32 << 10
	maxQueryBytes  = 8 << 10
)

// policy is what the page may do: run what comes from the same origin, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
	"font-src 'self'; " +
	"connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard refuses requests that another site may have made a browser send, and sets the headers that restrict the use of
// the answers.
func guard(c *Config, next http.Handler) http.Handler {
	names := ownNames(c)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !asked(names, r.Host):
			fail(w, http.StatusForbidden, apiError{Code: "forbidden",
				Message: "this host name is not one of the network map's; " +
					"add it to hosts in the configuration of the extension netmap"})
		case strings.HasPrefix(r.URL.Path, "/api/") && foreign(r):
			fail(w, http.StatusForbidden, apiError{Code: "forbidden", Message: "the request was made by another site"})
		case len(r.URL.RawQuery) > maxQueryBytes || len(r.URL.Path) > maxQueryBytes:
			fail(w, http.StatusRequestURITooLong, apiError{Code: "too_large",
				Message: "the address of the request is too long"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// ownNames returns the accepted names of Host headers, in lower case.
func ownNames(c *Config) map[string]bool {
	names := make(map[string]bool)
	for _, h := range c.Hosts {
		names[strings.ToLower(h)] = true
	}
	if host, _, err := net.SplitHostPort(c.NetAddr.Endpoint); err == nil && host != "" {
		names[strings.ToLower(host)] = true
	}
	return names
}

// asked reports whether a Host header is one of ours. DNS rebinding needs a name, so every address is. The port is
// ignored, because port forwarding changes it.
func asked(names map[string]bool, host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return isLocalhost(name) || names[name]
}

// foreign reports whether the browser names another site as the origin of the request. Other clients name none.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return true
}
