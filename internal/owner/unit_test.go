package owner

import "testing"

var units = map[string]string{
	"/":             "",
	"/init.scope":   "init.scope",
	"/system.slice": "system.slice",
	"/user.slice":   "user.slice",

	"/system.slice/nginx.service":                                           "nginx.service",
	"/system.slice/nginx.service/workers":                                   "nginx.service",
	"/system.slice/foo.service/bar.service":                                 "foo.service",
	"/nginx.service":                                                        "nginx.service",
	"/web.slice/web-front.slice/nginx.service":                              "nginx.service",
	`/system.slice/snap.lxd.daemon.service`:                                 "snap.lxd.daemon.service",
	`/system.slice/systemd\x2dodd.service`:                                  `systemd\x2dodd.service`,
	"/system.slice/system-foo.slice/foo@1.service":                          "foo@1.service",
	"/system.slice/system-postgresql.slice/postgresql@15-main.service":      "postgresql@15-main.service",
	`/system.slice/system-getty.slice/getty@tty1.service`:                   "getty@tty1.service",
	"/system.slice/system-openvpn.slice/openvpn@branch-7.service":           "openvpn@branch-7.service",
	"/system.slice/system-lvm.slice/lvm2-pvscan@8:0.service":                "lvm2-pvscan@8:0.service",
	"/system.slice/system-backup.slice/backup@" + uidA + ".service":         "backup@.service",
	"/system.slice/system-sshd.slice/sshd@3-unknown.service":                "sshd@.service",
	"/system.slice/system-sshd.slice/sshd@7-10.0.0.1:22-10.0.0.9:1.service": "sshd@.service",
	"/system.slice/system-sshd.slice/sshd@7-2001:db8::1:22-::9:1.service":   "sshd@.service",
	"/system.slice/system-sshd.slice/sshd@7-2:22-3:1023.service":            "sshd@.service",
	"/system.slice/system-cups.slice/cups@12-4242-1000.service":             "cups@.service",

	"/system.slice/run-u12.service":                                            "system.slice",
	"/system.slice/run-r3f4e1ab0.scope":                                        "system.slice",
	"/system.slice/run-p1-i2.service/inner":                                    "system.slice",
	"/system.slice/dev-hugepages.mount":                                        "system.slice",
	"/system.slice/sshd.socket":                                                "system.slice",
	`/system.slice/system-dbus\x2d:1.2\x2dx.slice/dbus-:1.2-org.x@1.service`:   "system.slice",
	"/system.slice/cri-containerd-abc.scope":                                   "system.slice",
	"/system.slice/.service":                                                   "system.slice",
	"/jobs.slice/jobs-batch.slice/run-123.scope":                               "jobs.slice",
	"/jobs.slice/jobs-batch.slice":                                             "jobs.slice",
	"/user.slice/user-1000.slice/session-3.scope":                              "user.slice",
	"/user.slice/user-1000.slice/user@1000.service/init.scope":                 "user.slice",
	"/user.slice/user-1000.slice/user@1000.service/app.slice/bar.service":      "user.slice",
	"/user.slice/user-1000.slice/user@1000.service/app.slice/app-x-4242.scope": "user.slice",

	"/process_api/11238910dff7baeef10a1e165a151035": "",
	"/web/nginx.service":                            "",
	"/slurm/uid_1000/job_7":                         "",
	"/odd-name.slice/nginx.service":                 "",
	"/.slice/nginx.service":                         "",
	"/session-3.scope":                              "",
}

func TestUnit(t *testing.T) {
	for path, want := range units {
		if got := unit(path); got != want {
			t.Errorf("unit(%q) = %q, want %q", path, got, want)
		}
		if got := parsePath(path, true); got != (place{unit: want}) {
			t.Errorf("parsePath(%q) = %+v, want unit %q", path, got, want)
		}
	}
}
