// Package web embeds the built page of the network map. Its sources are TypeScript files beside this file. The build is
// committed in dist, so that a Go build needs no other tools; make check-web proves that it is fresh.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns the built files: index.html, LICENSES and assets/. A file may have a compressed copy beside it (.gz).
// Without a build there is no index.html.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // dist is a constant, and embedded
	}
	return files
}
