//go:build linux

package bookinfo

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/netconn/netconn/internal/testnet/mesh"
)

// A Variant is the mesh with a certain family of rules, the rest as usual.
type Variant struct {
	Name string // of the family
	Options
}

// Variants returns one for each family in a folder; where a family has a file for each node, they are one. A family
// that no variant uses is an error: its rules would not be tested.
func Variants(dir fs.FS) ([]Variant, error) {
	families, err := mesh.Families(dir)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]mesh.Family)
	for _, f := range families {
		byName[f.Name] = f
	}
	var all []Variant
	for _, f := range families {
		v := Variant{Name: f.Name}
		switch {
		case strings.Contains(f.Name, "sidecar-redirect"):
			v.Rules = &f
		case strings.Contains(f.Name, "sidecar-tproxy"):
			v.Rules, v.Sidecar.Transparent = &f, true
		case strings.Contains(f.Name, "ambient-pod"):
			v.Rules, v.Ambient = &f, true
		case strings.Contains(f.Name, "ambient-host"):
			v.NodeRules, v.Probes = []mesh.Family{f, f}, true
		case strings.Contains(f.Name, "node1"):
			v.NodeRules = []mesh.Family{f, byName[strings.Replace(f.Name, "node1", "node2", 1)]}
			v.Known = true
		case strings.Contains(f.Name, "node2"):
			continue
		default:
			return nil, fmt.Errorf("use the rules %s: they are of no kind that there is", f.Name)
		}
		// Before Istio 1.10 a sidecar reached its application at 127.0.0.1.
		v.Sidecar.Loopback = strings.HasPrefix(f.Name, "istio18")
		all = append(all, v)
	}
	return all, nil
}
