// Package web is the page of the network map, built. Its sources are TypeScript, beside this file; what is built of them is
// committed in dist, so that a Go build needs nothing else, and a check of the project proves it fresh.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns the built files: index.html and assets/, each also compressed beside it where that is worth it (.br, .gz).
// Where nothing was built, there is no index.html.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // dist is a constant, and embedded
	}
	return files
}
