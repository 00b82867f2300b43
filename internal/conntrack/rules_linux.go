package conntrack

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/thread"
)

// Messages and attributes of nf_tables: uapi/linux/netfilter/nf_tables.h.
const (
	nftGetChain  = unix.NFNL_SUBSYS_NFTABLES<<8 | 4 // NFT_MSG_GETCHAIN
	nftaType     = 7                                // NFTA_CHAIN_TYPE
	nftTypeOfNAT = "nat\x00"
)

// headerOfIPVS is how many lines /proc/net/ip_vs has without a virtual service.
const headerOfIPVS = 3

// rules says for which address families a namespace may have rules that translate. As long as it has such a rule, the
// kernel tracks every connection of that family.
type rules struct {
	known      bool
	ipv4, ipv6 bool
}

// translate reports whether there may be a rule for an address.
func (r rules) translate(a netip.Addr) bool {
	if !r.known {
		return true
	}
	return a.Is4() && r.ipv4 || a.Is6() && r.ipv6
}

// readRules looks for rules of nftables (iptables-nft included), of legacy iptables and of IPVS.
func readRules(in *os.File) (r rules, err error) {
	c, err := dial(unix.NETLINK_NETFILTER, in)
	if err != nil {
		return r, err
	}
	defer c.Close()
	chains, err := request(c, nftGetChain, netlink.Dump, []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0})
	if err != nil && !withoutTables(err) {
		return r, fmt.Errorf("list chains: %w", err)
	}
	for _, m := range chains {
		r.addChain(m.Data)
	}
	if err := thread.Run(func() error { return r.readFiles(in) }); err != nil {
		return r, err
	}
	r.known = true
	return r, nil
}

// withoutTables reports whether an error says that the kernel has no nf_tables.
func withoutTables(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)
}

// addChain reads a message of NFT_MSG_GETCHAIN.
func (r *rules) addChain(data []byte) {
	if len(data) < sizeofNfgenmsg {
		return
	}
	for kind, value := range attributesAfter(sizeofNfgenmsg, data) {
		if kind != nftaType || string(value) != nftTypeOfNAT {
			continue
		}
		family := data[0]
		r.ipv4 = r.ipv4 || family != unix.NFPROTO_IPV6
		r.ipv6 = r.ipv6 || family != unix.NFPROTO_IPV4
	}
}

// readFiles reads the files of /proc/net, which show the calling thread's namespace.
func (r *rules) readFiles(in *os.File) error {
	if err := unix.Setns(int(in.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	for name, add := range map[string]func(string){
		"ip_tables_names":  func(s string) { r.ipv4 = r.ipv4 || hasTable(s) },
		"ip6_tables_names": func(s string) { r.ipv6 = r.ipv6 || hasTable(s) },
		"ip_vs": func(s string) {
			services := strings.Count(s, "\n") > headerOfIPVS
			r.ipv4, r.ipv6 = r.ipv4 || services, r.ipv6 || services
		},
	} {
		content, err := os.ReadFile("/proc/thread-self/net/" + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the kernel has no such rules
		}
		if err != nil {
			return err
		}
		add(string(content))
	}
	return nil
}

// hasTable reports whether the table nat is among the tables of legacy iptables, one a line.
func hasTable(names string) bool {
	for name := range strings.Lines(names) {
		if strings.TrimSpace(name) == "nat" {
			return true
		}
	}
	return false
}
