package netmapextension

import (
	"net/http"
	"strings"
	"testing"
)

// A name that resolves to loopback is what rebinding needs; by it, nothing is to be had, neither data nor the page.
func TestAReboundHostIsRefused(t *testing.T) {
	s := serve(t, func(c *Config) { c.Hosts = []string{"Map.Example"} })
	s.give(curl())
	for host, status := range map[string]int{
		"evil.example":           http.StatusForbidden,
		"evil.example:19466":     http.StatusForbidden,
		"localhost.evil.example": http.StatusForbidden,
		"127.0.0.1.evil.example": http.StatusForbidden,
		"notlocalhost":           http.StatusForbidden,
		"map.example.evil":       http.StatusForbidden,
		"localhost":              http.StatusOK,
		"LOCALHOST:8080":         http.StatusOK, // a forwarded port
		"localhost.:80":          http.StatusOK,
		"map.localhost":          http.StatusOK,
		"map.example:443":        http.StatusOK,
		"192.0.2.7:19466":        http.StatusOK, // a DNS server cannot rebind an address
		"[2001:db8::1]:19466":    http.StatusOK,
		"[::1]":                  http.StatusOK,
	} {
		for _, target := range []string{"/api/v1/status", "/api/v1/graph", "/"} {
			r := s.get(target, "Host", host)
			if r.status != status {
				t.Errorf("%s asked for by %s: %d, want %d", target, host, r.status, status)
			}
			if status == http.StatusForbidden && strings.Contains(r.body, "nginx") {
				t.Errorf("%s asked for by %s tells who is there", target, host)
			}
		}
	}
}

// What browsers say of requests that another site makes: fetch, an image, a form, a link, a frame.
func TestAnotherSiteCannotReadTheAPI(t *testing.T) {
	s := serve(t)
	s.give(curl())
	for _, site := range []string{"cross-site", "same-site", "whatever"} {
		for _, target := range []string{"/api/v1/status", "/api/v1/graph", "/api/v1/flows", "/api/v1/series", "/api/v1/tags", "/api/nothing"} {
			r := s.get(target, "Sec-Fetch-Site", site, "Origin", "https://evil.example")
			if r.status != http.StatusForbidden || strings.Contains(r.body, "nginx") {
				t.Errorf("%s from %s: %d %s", target, site, r.status, r.body)
			}
		}
	}
	for _, site := range []string{"same-origin", "none", ""} {
		if r := s.get("/api/v1/graph", "Sec-Fetch-Site", site); r.status != http.StatusOK || !strings.Contains(r.body, "nginx") {
			t.Errorf("from %q: %d", site, r.status)
		}
	}
}

// A browser that is too old to say where a request comes from is told not to let another origin read the answer.
func TestNoOriginIsAllowedToRead(t *testing.T) {
	s := serve(t)
	for _, target := range []string{"/", "/api/v1/graph"} {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			r := s.ask(method, target, "Origin", "https://evil.example", "Access-Control-Request-Method", "GET")
			for name := range r.header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s answers %s: %s", method, target, name, r.header.Get(name))
				}
			}
			if got := r.header.Get("Cross-Origin-Resource-Policy"); got != "same-origin" {
				t.Errorf("%s %s: Cross-Origin-Resource-Policy is %q", method, target, got)
			}
		}
	}
}

func TestALinkFromElsewhereOpensThePage(t *testing.T) {
	s := serve(t)
	r := s.get("/?by=workload&filter=namespace%3Dprod", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document", "Referer", "https://chat.example/")
	if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %s", r.status, r.header.Get("Content-Type"))
	}
}

func TestWhatThePageMayDo(t *testing.T) {
	s := serve(t)
	for _, target := range []string{"/", "/api/v1/status", "/nothing"} {
		h := s.get(target).header
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the policy %q does not say %s", target, csp, part)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy %q is not strict", target, csp)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", target, name, got, want)
			}
		}
	}
}

func TestLongRequestsAreRefused(t *testing.T) {
	s := serve(t)
	r := s.get("/api/v1/graph?filter=" + strings.Repeat("a", 9<<10))
	if r.status != http.StatusRequestURITooLong || !strings.Contains(r.body, `"too_large"`) {
		t.Errorf("%d %.100s", r.status, r.body)
	}
	if r := s.get("/api/v1/graph?filter=" + strings.Repeat("a", 64<<10)); r.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 64 kB: %d", r.status)
	}
}
