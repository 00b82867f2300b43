//go:build !linux

package owner

// hierarchy is a tree of cgroups. Only Linux has cgroups, so nothing calls these methods.
type hierarchy struct{ path string }

func findHierarchies(string) (version2, version1 *hierarchy, warnings []string) {
	return nil, nil, []string{"find cgroups: this system has none; run on Linux"}
}

func (h *hierarchy) find(uint64) (string, error)       { return "", errGone }
func (h *hierarchy) walk(func(id uint64, path string)) {}
func (h *hierarchy) has(uint64, string) bool           { return false }
func (h *hierarchy) id(string) uint64                  { return 0 }

func isProc(string) bool { return false }
