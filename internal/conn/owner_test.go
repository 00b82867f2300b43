package conn

import "testing"

func TestOwnerName(t *testing.T) {
	for want, o := range map[string]Owner{
		"":      {ContainerID: "4f", Unit: "user.slice"},
		"nginx": {ContainerID: "4f", Executable: "nginx"},
		"web":   {ContainerID: "web", Executable: "systemd", Named: true},
		"sshd":  {Unit: "ssh.service", Executable: "sshd"},
	} {
		if got := o.Name(); got != want {
			t.Errorf("%+v: name %q, want %q", o, got, want)
		}
	}
}

func TestClaimedID(t *testing.T) {
	for o, want := range map[Owner]bool{
		{}:                                      false,
		{ContainerID: "4f"}:                     false,
		{Unit: "ssh.service"}:                   false,
		{ContainerID: "4f", PodUID: "7b"}:       false,
		{ContainerID: "4f", Unit: "user.slice"}: true,
	} {
		if got := o.ClaimedID(); got != want {
			t.Errorf("%+v: claimed: %t, want %t", o, got, want)
		}
	}
}
