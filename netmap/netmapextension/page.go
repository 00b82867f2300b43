package netmapextension

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// absent is the page where none was built: the API is there all the same.
const absent = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>netconn: network map</title>
<p>The page of the network map was not built into this collector.
Its API is at <a href="api/v1/status">api/v1/status</a>.</p>
</html>
`

// A page serves files that do not change while it runs.
type page struct{ files map[string]file }

// A file is one, as it is and compressed.
type file struct {
	plain  []byte
	packed map[string][]byte // by the name of the encoding
	media  string
	etag   string
	fixed  bool // its name has a hash of what is in it
}

// encodings are those that files may be compressed with, best first.
var encodings = [...]struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

// newPage reads all of files. The page itself is index.html.
func newPage(files fs.FS) *page {
	p := &page{files: make(map[string]file)}
	_ = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error { // what cannot be read is not served
		if err != nil || d.IsDir() || isPacked(name) {
			return nil
		}
		plain, err := fs.ReadFile(files, name)
		if err != nil {
			return nil
		}
		f := newFile(name, plain)
		for _, e := range encodings {
			if b, err := fs.ReadFile(files, name+e.suffix); err == nil {
				f.packed[e.name] = b
			}
		}
		p.files["/"+name] = f
		return nil
	})
	if _, built := p.files["/index.html"]; !built {
		p.files = map[string]file{"/index.html": newFile("index.html", []byte(absent))}
	}
	return p
}

func isPacked(name string) bool {
	for _, e := range encodings {
		if strings.HasSuffix(name, e.suffix) {
			return true
		}
	}
	return false
}

func newFile(name string, plain []byte) file {
	sum := sha256.Sum256(plain)
	media := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // not as the machine's own table has it
	case ".js":
		media = "text/javascript; charset=utf-8"
	case ".css":
		media = "text/css; charset=utf-8"
	case ".html":
		media = "text/html; charset=utf-8"
	case ".svg":
		media = "image/svg+xml"
	case "":
		media = "text/plain; charset=utf-8"
	}
	return file{
		plain: plain, packed: make(map[string][]byte), media: media, etag: `"` + hex.EncodeToString(sum[:12]) + `"`,
		fixed: strings.HasPrefix(name, "assets/"),
	}
}

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
		return
	}
	name := r.URL.Path
	if name == "/" {
		name = "/index.html"
	}
	f, ok := p.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("ETag", f.etag)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if f.fixed {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := f.plain
	for _, e := range encodings {
		if b, ok := f.packed[e.name]; ok && accepts(r, e.name) {
			body = b
			h.Set("Content-Encoding", e.name)
			h.Set("ETag", strings.TrimSuffix(f.etag, `"`)+"-"+e.name+`"`) // another representation
			break
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// accepts reports whether a client accepts an encoding.
func accepts(r *http.Request, encoding string) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			quality = strings.ReplaceAll(quality, " ", "")
			return quality != "q=0" && quality != "q=0.0"
		}
	}
	return false
}
