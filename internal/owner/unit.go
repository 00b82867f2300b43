package owner

import "strings"

// unit returns the systemd unit of a cgroup, or nothing if it was not made by the host's systemd.
//
// The number of values must stay bounded, and a value must name one thing, so:
//
//   - a service is reported as itself, in whatever slice it is and whatever it makes below its cgroup (Delegate=yes,
//     systemd-nspawn's payload): the host's systemd knows only the outermost one;
//   - an instance that systemd made for one connection or one crash (sshd@7-192.0.2.1:22-192.0.2.9:51234.service) is
//     reported as its template, sshd@.service: the instance would put addresses into a metric;
//   - a scope, a transient service (run-*, dbus-:*) and a process directly in a slice fold into the outermost slice,
//     because inner slices are made for each pod, user or template; init.scope, the unit of systemd itself, stays;
//   - everything below user.slice is user.slice: users name their units, perhaps like a unit of the system, and the
//     inner slice would name a person;
//   - a path that starts with none of these (cgroupfs drivers, batch systems) has no unit, even if a systemd runs
//     further inside: its nginx.service is not the host's.
func unit(path string) string { return text(outermostUnit(path)) }

func outermostUnit(path string) string {
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

// slice returns s if it is a slice at the root of the hierarchy, whose name has no dash: a dash means a parent.
func slice(s string) string {
	if !strings.HasSuffix(s, ".slice") || s == ".slice" || strings.Contains(s, "-") {
		return ""
	}
	return s
}

// service reports whether a cgroup is that of a service with a lasting name.
func service(s string) bool {
	return strings.HasSuffix(s, ".service") && s != ".service" &&
		!strings.HasPrefix(s, "run-") && !strings.HasPrefix(s, "dbus-:")
}

// template returns the name of a service, without an instance that was generated.
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

// generated reports whether systemd or a program generated the name of an instance: a UUID, or a count followed by
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
