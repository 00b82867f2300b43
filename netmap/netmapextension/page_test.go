package netmapextension

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netconn/netconn/netmap/web"
)

func fetch(p *page, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

func built() *page {
	return newPage(fstest.MapFS{
		"index.html":        {Data: []byte("<!doctype html>")},
		"assets/a-1.js":     {Data: []byte("plain")},
		"assets/a-1.js.gz":  {Data: []byte("gzipped")},
		"assets/a-1.js.br":  {Data: []byte("brotli")},
		"assets/b-2.css":    {Data: []byte("css")},
		"assets/b-2.css.gz": {Data: []byte("gzipped css")},
	})
}

func TestFilesComeAsTheClientTakesThem(t *testing.T) {
	p := built()
	for accept, want := range map[string]string{
		"":                      "plain",
		"identity":              "plain",
		"gzip":                  "gzipped",
		"gzip, br":              "brotli",
		"gzip;q=1.0, br;q=0":    "gzipped",
		"GZIP":                  "gzipped",
		"br;q=0, gzip; q=0":     "plain",
		"deflate, zstd, x-gzip": "plain",
	} {
		w := fetch(p, "/assets/a-1.js", "Accept-Encoding", accept)
		if w.Body.String() != want || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("accepting %q: %q as %s", accept, w.Body, w.Header().Get("Content-Type"))
		}
		if !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("accepting %q: %v", accept, w.Header())
		}
	}
}

func TestPackedFilesAreNotFilesOfTheirOwn(t *testing.T) {
	p := built()
	for _, target := range []string{"/assets/a-1.js.gz", "/assets/", "/nothing", "/assets/../index.html/", "/index.htm"} {
		if w := fetch(p, target); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

func TestThePageIsAskedForAgain(t *testing.T) {
	p := built()
	first := fetch(p, "/?by=workload")
	if first.Body.String() != "<!doctype html>" || first.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("%q %v", first.Body, first.Header())
	}
	if again := fetch(p, "/", "If-None-Match", first.Header().Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("again: %d", again.Code)
	}
}

func TestWithoutAPageTheAPIIsNamed(t *testing.T) {
	for name, files := range map[string]fs.FS{"nothing": fstest.MapFS{}, "a placeholder": fstest.MapFS{"README": {Data: []byte("x")}}} {
		w := fetch(newPage(files), "/")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "api/v1/status") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// The committed page has all its parts.
func TestTheBuiltPageIsWhole(t *testing.T) {
	p := newPage(web.Files())
	index := fetch(p, "/").Body.String()
	if !strings.Contains(index, `<script type="module"`) {
		t.Fatalf("no page was built: %s", index)
	}
	for _, part := range strings.Split(index, `"`) {
		if strings.HasPrefix(part, "./assets/") {
			if w := fetch(p, strings.TrimPrefix(part, ".")); w.Code != http.StatusOK {
				t.Errorf("%s: %d", part, w.Code)
			}
		}
	}
}
