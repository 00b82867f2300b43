package nat

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

func tuple(source, destination string) conn.Tuple {
	return conn.Tuple{Source: address(source), Destination: address(destination)}
}

func address(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func end(role conn.Role, source, destination string) conn.End {
	return conn.End{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: uint64(role) + 1}, Namespace: conn.Namespace{Inode: uint32(role)}, Role: role,
			Tuple: tuple(source, destination), SeenOpening: true,
		},
	}
}

func client(source, destination string) conn.End { return end(conn.RoleClient, source, destination) }
func server(source, destination string) conn.End { return end(conn.RoleServer, source, destination) }

func tracked(source, destination string) Step {
	return Step{Knowledge: Tracked, Out: tuple(source, destination)}
}

func (s Step) reply() Step { s.Reply = true; return s }
func (s Step) local() Step { s.Local = true; return s }

// others makes a step that of another connection's entry.
func others(s Step) Step { s.Knowledge = Unknown; return s }

func (s Step) uncertain() Step { s.Uncertain = true; return s }

// hook makes an end that of a socket with a BPF program in its connect().
func hook(e conn.End) conn.End { e.ConnectHook = true; return e }

var absent, doubted, unknown = Step{Knowledge: Absent}, Step{Knowledge: Doubted}, Step{}

// route returns a route; asked is empty if the destination was not translated.
func route(n conn.NAT, client, server, asked string, port uint16) conn.Route {
	r := conn.Route{NAT: n, Client: address(client), Server: address(server), Port: port}
	if asked != "" {
		r.Asked = address(asked)
	}
	return r
}

func wantRoute(t *testing.T, got, want conn.Route) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("route (-want +got):\n%s", diff)
	}
}

const (
	app      = "10.244.1.11:37016"
	service  = "10.96.1.3:80"
	backend  = "10.244.2.13:9080"
	sidecar  = "127.0.0.1:15001"
	inbound  = "10.244.2.13:15006"
	nodePort = "192.0.2.10:30080"
	node     = "192.0.2.10:51000"
	outside  = "198.51.100.7:60000"
)

// A followed end is one of a connection to or from another machine, with what connection tracking answered on its way.
type followed struct {
	end   conn.End
	steps []Step
	want  conn.Route
}

func checkFollow(t *testing.T, cases map[string]followed) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { wantRoute(t, Follow(c.end, c.steps), c.want) })
	}
}

func older(e conn.End) conn.End { e.SeenOpening, e.Role = false, conn.RoleUnknown; return e }

func transparent(e conn.End) conn.End { e.Transparent = true; return e }

func TestFollowAClient(t *testing.T) {
	checkFollow(t, map[string]followed{
		"nothing is tracked": {client(app, backend), []Step{absent, absent},
			route(conn.NATNone, app, backend, "", 9080)},
		"a program in connect(), and nothing is tracked": {hook(client(app, backend)), []Step{absent, absent},
			route(conn.NATUnresolved, app, backend, "", 9080)},
		"a program in connect(), and a service on the node": {
			hook(client(app, service)), []Step{absent, tracked(app, backend)},
			route(conn.NATUnresolved, app, backend, "", 9080)},
		"older, and a program in connect()": {older(hook(client(app, backend))), []Step{absent, absent}, conn.Route{}},
		"nothing is translated": {client(app, backend), []Step{tracked(app, backend), tracked(app, backend)},
			route(conn.NATNone, app, backend, "", 9080)},
		"to its own sidecar": {client(app, service), []Step{tracked(app, sidecar).local()},
			route(conn.NATRedirect, app, sidecar, service, 80)},
		"a service, translated on the node": {client(app, service), []Step{absent, tracked(app, backend)},
			route(conn.NATDestination, app, backend, service, 9080)},
		"a service, translated in the pod": {client(app, service), []Step{tracked(app, backend), tracked(app, backend)},
			route(conn.NATDestination, app, backend, service, 9080)},
		"masqueraded on the node": {client(app, outside), []Step{absent, tracked(node, outside)},
			route(conn.NATSource, app, outside, "", 60000)},
		"a service elsewhere, masqueraded": {client(app, service), []Step{absent, tracked(node, backend)},
			route(conn.NATBoth, app, backend, service, 9080)},
		"chained: one service in the pod, another on the node": {
			client(app, "10.96.9.9:443"), []Step{tracked(app, service), tracked(app, backend)},
			route(conn.NATDestination, app, backend, "10.96.9.9:443", 9080)},
		"to a service of the node itself": {
			client(app, service), []Step{absent, tracked(app, "192.0.2.10:10250").local()},
			route(conn.NATRedirect, app, "192.0.2.10:10250", service, 80)},
		"to its own sidecar, from another source port": {
			client(app, service), []Step{tracked("10.244.1.11:1024", sidecar).local()},
			route(conn.NATRedirect, app, sidecar, service, 80)},
		"another source port on the way, and nothing else": {
			client(app, backend), []Step{tracked("10.244.1.11:1024", backend)},
			route(conn.NATNone, app, backend, "", 9080)},
	})
}

func TestFollowAServer(t *testing.T) {
	checkFollow(t, map[string]followed{
		"the sidecar's end of it": {server(sidecar, app), []Step{tracked(service, app).reply().local()},
			route(conn.NATRedirect, app, sidecar, service, 80)},
		"accepted behind an inbound redirect": {
			server(inbound, app), []Step{tracked(backend, app).reply(), tracked(backend, app).reply()},
			route(conn.NATRedirect, app, inbound, backend, 9080)},
		"accepted behind a node port, masqueraded": {
			server(backend, node), []Step{absent, tracked(nodePort, outside).reply()},
			route(conn.NATBoth, outside, backend, nodePort, 9080)},
		"accepted behind a node port and a redirect": {
			server(inbound, node), []Step{tracked(backend, node).reply(), tracked(nodePort, outside).reply()},
			route(conn.NATBoth, outside, inbound, nodePort, 9080)},
		"accepted behind a node port, the client's address kept": {
			server(backend, outside), []Step{absent, tracked(nodePort, outside).reply()},
			route(conn.NATDestination, outside, backend, nodePort, 9080)},
		"accepted by TPROXY": {transparent(server(backend, outside)), []Step{tracked(backend, outside).reply(), absent},
			route(conn.NATTransparent, outside, backend, "", 9080)},
		"accepted by TPROXY behind a node port": {
			transparent(server(backend, node)), []Step{absent, tracked(nodePort, outside).reply()},
			route(conn.NATBoth, outside, backend, nodePort, 9080)},
		"the sidecar's end, from another source port": {
			server(sidecar, "10.244.1.11:1024"), []Step{tracked(service, app).reply().local()},
			route(conn.NATRedirect, app, sidecar, service, 80)},
	})
}

// The route stays open if only an unknown role, a doubt or an unreachable namespace could show it.
func TestFollowWithDoubts(t *testing.T) {
	checkFollow(t, map[string]followed{
		"older, and not told which end": {older(client(app, service)), []Step{absent, tracked(app, backend)},
			route(conn.NATDestination, app, backend, service, 9080)},
		"older, not told which end, and answering": {
			older(server(backend, node)), []Step{absent, tracked(nodePort, outside).reply()},
			route(conn.NATBoth, outside, backend, nodePort, 9080)},
		"older, not told which end, not translated": {older(client(app, backend)), []Step{tracked(app, backend)},
			conn.Route{NAT: conn.NATNone}},
		"a doubt that a later hop clears": {client(app, service), []Step{doubted, tracked(app, backend)},
			route(conn.NATDestination, app, backend, service, 9080)},
		"a doubt that stays": {client(app, service), []Step{tracked(app, service), doubted},
			route(conn.NATUnresolved, app, service, "", 80)},
		"a hop that cannot be asked": {server(backend, node), []Step{absent, unknown},
			route(conn.NATUnresolved, node, backend, "", 9080)},
		"a server that redirects, and a hop that cannot be asked": {
			server(inbound, app), []Step{tracked(backend, app).reply(), unknown},
			route(conn.NATUnresolved, app, inbound, "", 9080)},
		"a server that may redirect": {server(inbound, app), []Step{doubted},
			route(conn.NATUnresolved, app, inbound, "", 0)},
		"a server that cannot be asked about": {server(inbound, app), nil,
			route(conn.NATUnresolved, app, inbound, "", 0)},
		"a server's entry that its own packets made": {server(inbound, app), []Step{tracked(inbound, app)},
			route(conn.NATUnresolved, app, inbound, "", 0)},
		"a client's entry that the replies made": {client(app, service), []Step{absent, tracked(app, service).reply()},
			route(conn.NATUnresolved, app, service, "", 80)},
		"older, and an entry that does not show the role": {
			older(server(backend, app)), []Step{tracked(backend, app).reply()}, conn.Route{NAT: conn.NATNone}},
		"a server with a doubt that a later hop clears": {
			server(backend, node), []Step{doubted, tracked(nodePort, outside).reply()},
			route(conn.NATBoth, outside, backend, nodePort, 9080)},
		"a service, and the server's namespace may redirect": {
			client(app, service), []Step{tracked(app, backend), doubted.local()},
			route(conn.NATDestination, app, backend, service, 9080)},
		"the server's namespace may redirect": {client(app, backend), []Step{tracked(app, backend), doubted.local()},
			route(conn.NATUnresolved, app, backend, "", 9080)},
		"another way out, and no entry on the one that was asked": {
			client(app, service), []Step{absent.uncertain(), absent},
			route(conn.NATUnresolved, app, service, "", 80)},
		"another way out, and an entry on the one that was asked": {
			client(app, service), []Step{absent.uncertain(), tracked(app, backend)},
			route(conn.NATDestination, app, backend, service, 9080)},
		"another way out after the last namespace": {
			client(app, service), []Step{absent, tracked(app, backend).uncertain()},
			route(conn.NATUnresolved, app, service, "", 80)},
		"a server with another way out": {server(backend, node), []Step{absent.uncertain(), absent},
			route(conn.NATUnresolved, node, backend, "", 9080)},
		"no namespace was asked": {client(app, service), nil, route(conn.NATUnresolved, app, service, "", 80)},
		"an entry the other way round": {client(app, service), []Step{tracked(app, backend).reply()},
			route(conn.NATUnresolved, app, service, "", 80)},
	})
}

func in(netns uint32, e conn.End) conn.End { e.Namespace.Inode = netns; return e }

func cookie(n uint64, e conn.End) conn.End { e.Namespace.Cookie = n; return e }

// Both ends are on one machine.
type bothEnds struct {
	client, server conn.End
	first          Step
	want           conn.Route
}

func checkBetween(t *testing.T, cases map[string]bothEnds) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			wantRoute(t, Between(c.client, c.server, c.first), c.want)
			wantRoute(t, Between(c.server, c.client, c.first), c.want)
		})
	}
}

// What was asked for and who is there are in the two sockets.
func TestBetween(t *testing.T) {
	checkBetween(t, map[string]bothEnds{
		"mirrored": {client(app, backend), server(backend, app), unknown,
			route(conn.NATNone, app, backend, "", 9080)},
		"mirrored, after a program in connect()": {hook(client(app, backend)), server(backend, app), unknown,
			route(conn.NATUnresolved, app, backend, "", 9080)},
		"redirected on the first, after a program in connect()": {
			hook(client(app, backend)), server(inbound, app), tracked(backend, app).reply(),
			route(conn.NATUnresolved, app, inbound, "", 9080)},
		"TPROXY": {client(app, backend), transparent(server(backend, app)), unknown,
			route(conn.NATTransparent, app, backend, "", 9080)},
		"redirected on the first": {client(app, backend), server(inbound, app), tracked(backend, app).reply(),
			route(conn.NATRedirect, app, inbound, backend, 9080)},
		"a service": {client(app, service), server(backend, app), absent,
			route(conn.NATDestination, app, backend, service, 9080)},
		"a service, and redirected on the first": {
			client(app, service), server(inbound, app), tracked(backend, app).reply(),
			route(conn.NATDestination, app, inbound, service, 9080)},
		"masqueraded": {client(app, backend), server(backend, node), tracked(backend, node).reply(),
			route(conn.NATSource, app, backend, "", 9080)},
		"a service, masqueraded": {client(app, service), server(backend, node), absent,
			route(conn.NATBoth, app, backend, service, 9080)},
		"a service, and a first that cannot be asked": {client(app, service), server(backend, app), unknown,
			route(conn.NATUnresolved, app, backend, service, 80)},
		"redirected, and the kernel chose another source port": {
			client(app, service), server(sidecar, "10.244.1.11:1024"), tracked(service, app).reply(),
			route(conn.NATRedirect, app, sidecar, service, 80)},
		"nothing but another source port": {client(app, backend), server(backend, "10.244.1.11:1024"), unknown,
			route(conn.NATNone, app, backend, "", 9080)},
	})
}

// A sidecar is certain if it is in the client's namespace, or if connection tracking shows it.
func TestBetweenAnApplicationAndASidecar(t *testing.T) {
	checkBetween(t, map[string]bothEnds{
		"a sidecar, and a first that has lost its entry": {client(app, backend), server(inbound, app), doubted,
			route(conn.NATUnresolved, app, inbound, backend, 9080)},
		"a sidecar, and an entry of packets that its socket began": {
			client(app, backend), server(inbound, app), tracked(inbound, app),
			route(conn.NATUnresolved, app, inbound, backend, 9080)},
		"a sidecar in the client's namespace": {in(7, client(app, service)), in(7, server(sidecar, app)), unknown,
			route(conn.NATRedirect, app, sidecar, service, 80)},
		"the same, and the entry is deleted": {in(7, client(app, service)), in(7, server(sidecar, app)), doubted,
			route(conn.NATRedirect, app, sidecar, service, 80)},
		"the same, and the table is empty": {in(7, client(app, service)), in(7, server(sidecar, app)), absent,
			route(conn.NATRedirect, app, sidecar, service, 80)},
		"the same, and another source port": {
			in(7, client(app, service)), in(7, server(sidecar, "10.244.1.11:1024")), unknown,
			route(conn.NATRedirect, app, sidecar, service, 80)},
		"back to the client's namespace by way of a node": {
			in(7, client(app, service)), in(7, server(inbound, node)), unknown,
			route(conn.NATUnresolved, app, inbound, service, 80)},
		"a sidecar in another namespace": {in(7, client(app, service)), in(8, server(sidecar, app)), unknown,
			route(conn.NATUnresolved, app, sidecar, service, 80)},
		"a namespace that was deleted, and another of its inode": {
			in(7, client(app, service)), cookie(5, in(7, server(sidecar, app))), unknown,
			route(conn.NATUnresolved, app, sidecar, service, 80)},
		"namespaces that are not known": {in(0, client(app, service)), in(0, server(sidecar, app)), unknown,
			route(conn.NATUnresolved, app, sidecar, service, 80)},
		"a sidecar, and another connection to the same service": {
			client(app, service), server(inbound, app), others(tracked(service, app).reply()),
			route(conn.NATRedirect, app, inbound, service, 80)},
		"a sidecar, and another connection to another service": {
			client(app, service), server(inbound, app), others(tracked("10.96.9.9:443", app).reply()),
			route(conn.NATUnresolved, app, inbound, service, 80)},
		"a sidecar, and another connection the other way": {
			client(app, service), server(inbound, app), others(tracked(service, app)),
			route(conn.NATUnresolved, app, inbound, service, 80)},
	})
}

func TestBetweenWhereRolesAreNotKnown(t *testing.T) {
	unknown := func(e conn.End) conn.End { e.Role = conn.RoleUnknown; return e }
	c, s := client(app, service), server(backend, app)
	want := Between(c, s, absent)
	wantRoute(t, Between(unknown(c), s, absent), want)
	wantRoute(t, Between(c, unknown(s), absent), want)
	wantRoute(t, Between(unknown(c), unknown(s), absent), conn.Route{})
	mirrored := unknown(client(app, backend))
	wantRoute(t, Between(mirrored, unknown(s), absent), conn.Route{NAT: conn.NATNone})
	wantRoute(t, Between(hook(mirrored), unknown(s), absent), conn.Route{})
	wantRoute(t, Between(mirrored, hook(unknown(s)), absent), conn.Route{})
}

// A socket that connects to itself is both ends.
func TestBetweenItself(t *testing.T) {
	e := client("127.0.0.1:5000", "127.0.0.1:5000")
	wantRoute(t, Between(e, e, unknown), conn.Route{
		NAT: conn.NATNone, Client: e.Tuple.Source, Server: e.Tuple.Source, Port: 5000,
	})
}

func TestWithout(t *testing.T) {
	for name, c := range map[string]struct {
		change     func(*conn.End)
		translates bool
		want       Knowledge
	}{
		"open, and nothing translates":      {func(*conn.End) {}, false, Absent},
		"open, and a rule may":              {func(*conn.End) {}, true, Doubted},
		"older than netconn, nothing":       {func(e *conn.End) { e.SeenOpening = false }, false, Absent},
		"older than netconn, a rule may":    {func(e *conn.End) { e.SeenOpening = false }, true, Doubted},
		"closed, and nothing translates":    {func(e *conn.End) { e.Phase = conn.Closed }, false, Absent},
		"closed, and a rule may":            {func(e *conn.End) { e.Phase = conn.Closed }, true, Doubted},
		"timed out, and nothing translates": {failed(conn.TimedOut), false, Doubted},
		"timed out, and a rule may":         {failed(conn.TimedOut), true, Doubted},
		"never sent":                        {failed(conn.NotSent), true, Absent},
	} {
		t.Run(name, func(t *testing.T) {
			e := client(app, backend)
			c.change(&e)
			if got := Without(e, c.translates); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func failed(e conn.Error) func(*conn.End) {
	return func(end *conn.End) { end.Phase, end.Error = conn.Failed, e }
}
