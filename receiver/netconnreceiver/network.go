package netconnreceiver

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A Range is a range of addresses. An IPv4 range has its plain form.
type Range netip.Prefix

func (r Range) String() string { return netip.Prefix(r).String() }

// mappedBits is how long the prefix of the IPv4 addresses in IPv6 is, ::ffff:0:0/96.
const mappedBits = 96

// UnmarshalText takes 192.0.2.0/24, and its form in IPv6 ::ffff:192.0.2.0/120.
func (r *Range) UnmarshalText(text []byte) error {
	written := string(text)
	if a, err := netip.ParseAddr(written); err == nil {
		return fmt.Errorf("%s has no length; write %v/%d for the one address", written, a, a.BitLen())
	}
	p, err := netip.ParsePrefix(written)
	if err != nil {
		_, reason, _ := strings.Cut(err.Error(), "): ") // without the name of the function
		return fmt.Errorf("%q is no range such as 192.0.2.0/24: %s", written, reason)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < mappedBits {
			return fmt.Errorf("%s holds more than the IPv4 addresses; write 0.0.0.0/0 for all of them", written)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	*r = Range(p)
	return nil
}

// prefixes returns the ranges in the form of the pipeline.
func prefixes(networks map[string][]Range) map[string][]netip.Prefix {
	all := make(map[string][]netip.Prefix, len(networks))
	for name, ranges := range networks {
		for _, r := range ranges {
			all[name] = append(all[name], netip.Prefix(r))
		}
	}
	return all
}

func services(ranges []Range) (all []netip.Prefix) {
	for _, r := range ranges {
		all = append(all, netip.Prefix(r))
	}
	return all
}

func validateServices(ranges []Range) error {
	var errs error
	for _, r := range ranges {
		if masked := netip.Prefix(r).Masked(); netip.Prefix(r) != masked {
			errs = errors.Join(errs, fmt.Errorf("services: %v is an address, the range is %v", r, masked))
		}
	}
	return errs
}

func validateNetworks(networks map[string][]Range) error {
	var errs error
	owner := make(map[Range]string)
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		if name == "" || len(networks[name]) == 0 {
			errs = errors.Join(errs, fmt.Errorf("networks: %q must have a name and at least one range", name))
		}
		for _, r := range networks[name] {
			errs = errors.Join(errs, validateRange(name, r, owner))
		}
	}
	return errs
}

// validateRange remembers in owner which name has the range: with two names, the one of a peer would be random.
func validateRange(name string, r Range, owner map[Range]string) error {
	if masked := netip.Prefix(r).Masked(); netip.Prefix(r) != masked {
		return fmt.Errorf("networks::%s: %v is an address, the range is %v", name, r, masked)
	}
	if other, taken := owner[r]; taken {
		return fmt.Errorf("networks::%s: %v belongs to %q already", name, r, other)
	}
	owner[r] = name
	return nil
}
