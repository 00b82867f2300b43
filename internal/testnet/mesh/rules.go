//go:build linux

package mesh

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/netconn/netconn/internal/testnet/netns"
)

// A Family is the files that one program wrote of one pod or node: rules as iptables-save or nft print them, and the
// routes that go with them.
type Family struct {
	Name string // such as sidecar-redirect.nft

	files []string // names
	in    fs.FS
}

//go:embed rules
var own embed.FS

// Own returns the folder of the project's own rules.
func Own() fs.FS {
	dir, err := fs.Sub(own, "rules")
	if err != nil {
		panic(err) // only a name that cannot be one is an error
	}
	return dir
}

// Families returns the families in a folder. The end of a file's name says what it is: .v4 and .v6 of iptables,
// .legacy.v4 and .legacy.v6 of the old one, .nft of nft, .routes of ip.
func Families(dir fs.FS) ([]Family, error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, fmt.Errorf("look for rules: %w", err)
	}
	files := make(map[string][]string)
	for _, entry := range entries {
		name, kind := split(entry.Name())
		if kind != "" {
			files[name] = append(files[name], entry.Name())
		}
	}
	var all []Family
	for name, of := range files {
		all = append(all, Family{Name: name, files: of, in: dir})
	}
	slices.SortFunc(all, func(a, b Family) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// FamilyNamed returns one of the families in a folder.
func FamilyNamed(dir fs.FS, name string) (Family, error) {
	all, err := Families(dir)
	if err != nil {
		return Family{}, err
	}
	for _, f := range all {
		if f.Name == name {
			return f, nil
		}
	}
	return Family{}, fmt.Errorf("look for the rules %s: %w", name, fs.ErrNotExist)
}

// split takes the name of a file apart. What is of no kind has no rules.
func split(file string) (name, kind string) {
	for _, kind := range []string{".v4", ".v6", ".routes", ".nft"} {
		if name, found := strings.CutSuffix(file, kind); found {
			return name, kind
		}
	}
	return file, ""
}

// Load brings rules and routes into a namespace, beside what is there.
func (f Family) Load(n *netns.Namespace) error {
	for _, file := range f.files {
		text, err := fs.ReadFile(f.in, file)
		if err != nil {
			return fmt.Errorf("read rules: %w", err)
		}
		if err := load(n, file, string(text)); err != nil {
			return fmt.Errorf("load %s: %w", file, err)
		}
	}
	return nil
}

func load(n *netns.Namespace, file, text string) error {
	name, kind := split(file)
	variant := "-nft"
	if strings.HasSuffix(name, ".legacy") {
		variant = "-legacy"
	}
	switch kind {
	case ".v4":
		return n.Feed(loadable(text), "iptables"+variant+"-restore", "--noflush")
	case ".v6":
		return n.Feed(loadable(text), "ip6tables"+variant+"-restore", "--noflush")
	case ".nft":
		return n.Feed(text, "nft", "-f", "-")
	}
	return loadRoutes(n, text)
}

// loadable takes out what needs an accounting object that only kube-proxy makes: it counts, and matches everything.
func loadable(text string) string {
	return regexp.MustCompile(`-m nfacct --nfacct-name +\S+ `).ReplaceAllString(text, "")
}

var (
	policyRule = regexp.MustCompile(`^(\d+):\tfrom all fwmark (\S+) lookup (\d+)$`)
	localRoute = regexp.MustCompile(`^local default dev lo table (\d+) `)
	loopback   = regexp.MustCompile(`^(\S+) dev lo proto kernel `)
)

// loadRoutes brings policy rules, the routes that they lead to and addresses of the loopback interface, in both
// address families; other routes are of the machine that the file is from. A line may be there more than once.
func loadRoutes(n *netns.Namespace, text string) error {
	done := make(map[string]bool)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		commands := routeCommands(line + " ")
		for _, c := range commands {
			if key := strings.Join(c, " "); !done[key] {
				done[key] = true
				if err := n.Command("ip", c...); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// routeCommands returns the arguments of ip for one line of the file.
func routeCommands(line string) [][]string {
	if m := policyRule.FindStringSubmatch(strings.TrimRight(line, " ")); m != nil {
		rule := []string{"rule", "add", "priority", m[1], "fwmark", m[2], "lookup", m[3]}
		return [][]string{append([]string{"-4"}, rule...), append([]string{"-6"}, rule...)}
	}
	if m := localRoute.FindStringSubmatch(line); m != nil {
		route := []string{"route", "add", "local", "default", "dev", "lo", "table", m[1]}
		return [][]string{append([]string{"-4"}, route...), append([]string{"-6"}, route...)}
	}
	if m := loopback.FindStringSubmatch(line); m != nil {
		if address, err := netip.ParseAddr(m[1]); err == nil {
			return [][]string{{"address", "add", one(address).String(), "dev", "lo"}}
		}
	}
	return nil
}

// Redirect has the namespace itself answer what comes for one port at another: a rule of the simplest kind.
func Redirect(n *netns.Namespace, from, to uint16) error {
	rules := fmt.Sprintf("*nat\n-A PREROUTING -p tcp --dport %d -j REDIRECT --to-ports %d\nCOMMIT\n", from, to)
	return errors.Join(
		n.Feed(rules, "iptables-nft-restore", "--noflush"),
		n.Feed(rules, "ip6tables-nft-restore", "--noflush"),
	)
}
