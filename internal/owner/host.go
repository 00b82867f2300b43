package owner

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Host returns the identity of the host whose root directory is root: the machine-id (machine-id(5); 32 hexadecimal
// digits) and the name in the UTS namespace of its first process, whatever namespaces the reader is in. A name is UTF-8
// and never an address. If one of the two cannot be read it is empty, the other is still returned, and err says why.
func Host(root string) (id, name string, err error) {
	id, idErr := machineID(root)
	name, nameErr := hostName(root)
	return id, text(name), errors.Join(idErr, nameErr)
}

// Boot returns the id of the kernel's boot, which is the same in every container. Empty: it cannot be read.
func Boot(root string) string {
	id, err := readIn(root, "proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(id)
}

// machineID reads the host's machine-id, or the one that D-Bus keeps where there is no systemd.
func machineID(root string) (string, error) {
	var errs []error
	for _, path := range []string{"etc/machine-id", "var/lib/dbus/machine-id"} {
		text, err := readIn(root, path)
		if err == nil {
			var id string
			if id, err = parseMachineID(text); err == nil {
				return id, nil
			}
		}
		errs = append(errs, fmt.Errorf("read %s: %w", path, err))
	}
	return "", errors.Join(errs...)
}

// parseMachineID returns the id in the text of a machine-id file. An image that was never started has the word
// "uninitialized", or nothing.
func parseMachineID(text string) (string, error) {
	id := strings.TrimSpace(text)
	if len(id) != 32 || !isHex(id) || strings.Trim(id, "0") == "" {
		return "", fmt.Errorf("parse machine-id %q: want 32 hexadecimal digits", id)
	}
	return id, nil
}

// nameSources are the ways to a host's name. The namespaces are as /proc shows them, or empty where it does not.
type nameSources struct {
	own, host, initial string                 // UTS namespaces: the reader's, the host's, the kernel's first
	read               func() (string, error) // the name in the reader's namespace
	enter              func() (string, error) // the name in the host's namespace
	file               func() (string, error) // etc/hostname, which may be older than the name, or never used
}

// name asks the sources in the order of their certainty. The reader's own name counts only where it is the host's:
// in a container it is the container's.
func (s nameSources) name() (string, error) {
	var errs []error
	try := func(ask func() (string, error)) string {
		name, err := ask()
		if err == nil {
			err = validName(name)
		}
		if err == nil {
			return name
		}
		errs = append(errs, err)
		return ""
	}
	ways := []func() (string, error){s.file}
	switch {
	case s.host == "" && s.own == s.initial, s.host != "" && s.own == s.host:
		ways = []func() (string, error){s.read, s.file}
	case s.host != "":
		ways = []func() (string, error){s.enter, s.file}
	}
	for _, ask := range ways {
		if name := try(ask); name != "" {
			return name, nil
		}
	}
	return "", fmt.Errorf("find the host's name: %w", errors.Join(errs...))
}

// validName tells what is wrong with a host name.
func validName(name string) error {
	if name == "" || name == "(none)" {
		return errors.New("read host name: none is set")
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("read host name: %q is an address", name)
	}
	return nil
}

// parseHostname returns the name in the text of an etc/hostname (hostname(5)): the first line that is no comment.
func parseHostname(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}
