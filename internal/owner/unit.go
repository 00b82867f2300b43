package owner

import "strings"

// unit returns the systemd unit of a cgroup that is in no container, or nothing where no systemd of the host's made it.
//
// The number of values must stay bounded, and a value must name one thing, so:
//
//   - a service is reported as itself, wherever its slice is, and whatever the service makes below (Delegate=yes, the
//     payload of systemd-nspawn): the outermost service is the one that the host's systemd knows;
//   - an instance that systemd made for one connection or one crash (sshd@7-192.0.2.1:22-192.0.2.9:51234.service) is
//     reported as its template, sshd@.service: the instance would put addresses into a metric;
//   - a scope, a transient service (run-*, dbus-:*) and a process directly in a slice fold into the outermost slice,
//     since inner ones are made per pod, per user or per template; init.scope, where systemd itself is, stays;
//   - everything below user.slice is user.slice: a user's units are named by the user, may have the name of a system's,
//     and the slice would name a person;
//   - a path that starts with none of these (LXC's payloads, cgroupfs drivers, batch systems) has no unit, even if a
//     systemd runs further inside: its nginx.service is not the host's.
func unit(path string) string {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first == "init.scope" {
		return first
	}
	if service(first) {
		return template(first)
	}
	outer := slice(first)
	if outer == "" || outer == "user.slice" {
		return outer
	}
	for rest != "" {
		var s string
		s, rest, _ = strings.Cut(rest, "/")
		switch {
		case service(s):
			return template(s)
		case !strings.HasSuffix(s, ".slice"):
			return outer
		}
	}
	return outer
}

// slice returns s if systemd made it at the root of the hierarchy, where a name has no dash (a dash is a parent).
func slice(s string) string {
	if !strings.HasSuffix(s, ".slice") || s == ".slice" || strings.Contains(s, "-") {
		return ""
	}
	return s
}

// service tells whether a cgroup is that of a service with a name that was given to last.
func service(s string) bool {
	return strings.HasSuffix(s, ".service") && s != ".service" &&
		!strings.HasPrefix(s, "run-") && !strings.HasPrefix(s, "dbus-:")
}

// template returns the name of a service, with the instance only where a person chose it.
func template(s string) string {
	at := strings.IndexByte(s, '@')
	if at < 0 {
		return s
	}
	if instance := strings.TrimSuffix(s[at+1:], ".service"); !generated(instance) {
		return s
	}
	return s[:at+1] + ".service"
}

// generated tells whether systemd or a program made up the name of an instance: a UUID, or a count followed by
// addresses, a process or a user (instance_from_socket in systemd's src/core/socket.c).
func generated(instance string) bool {
	if isUUID(instance) {
		return true
	}
	count, rest, ok := strings.Cut(instance, "-")
	if !ok || !isDecimal(count) {
		return false
	}
	return rest == "unknown" || strings.Trim(rest, "0123456789abcdef.:-") == ""
}

func isDecimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
