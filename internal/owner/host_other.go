//go:build !linux

package owner

import (
	"os"
	"path/filepath"
)

// hostName returns the name of this system. There are no namespaces, so it has only one.
func hostName(root string) (string, error) {
	return nameSources{
		read: os.Hostname,
		file: func() (string, error) {
			text, err := readIn(root, "etc/hostname")
			return parseHostname(text), err
		},
	}.name()
}

func readIn(root, path string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, path))
	return string(text), err
}
