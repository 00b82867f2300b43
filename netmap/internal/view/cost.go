package view

import (
	"math"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// Prices are of a gigabyte, 1e9 bytes of payload, between two places. Both directions of an edge count.
type Prices struct {
	Zones, Regions float64               // between any two zones of one region, and between any two regions
	Pairs          map[[2]string]float64 // between two zones or two regions, which are in the order of their names
}

// Pair returns the key of two places in Pairs.
func Pair(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

const gigabyte = 1e9

// cost is what payload costs, as far as its price is known.
type cost struct {
	money float64
	known bool
}

func (c *cost) add(d cost) { c.money, c.known = c.money+d.money, c.known || d.known }

// value is not a number if no price is known.
func (c cost) value() float64 {
	if !c.known {
		return math.NaN()
	}
	return c.money
}

// cost returns what the payload of an edge costs.
func (p *Prices) cost(e *snap.Edge) cost {
	if p == nil {
		return cost{}
	}
	price, known := p.of(e.Client, e.Server)
	return cost{price * (float64(e.Tx) + float64(e.Rx)) / gigabyte, known}
}

// of returns the price between two ends. The price of two zones is more exact than that of their regions.
func (p *Prices) of(client, server *edge.End) (price float64, known bool) {
	if price, found := p.pair(client, server, names.TagZone); found {
		return price, true
	}
	if price, found := p.pair(client, server, names.TagRegion); found {
		return price, true
	}
	switch {
	case apart(client, server, names.TagRegion):
		return p.Regions, true
	case apart(client, server, names.TagZone):
		return p.Zones, true
	}
	return 0, client.Has(names.TagZone) && server.Has(names.TagZone)
}

// pair returns the price of the two zones, or the two regions, if they have one.
func (p *Prices) pair(client, server *edge.End, t names.Tag) (price float64, found bool) {
	if !apart(client, server, t) {
		return 0, false
	}
	price, found = p.Pairs[Pair(client[t].String(), server[t].String())]
	return price, found
}

// apart reports whether both ends have a place of this kind, and not the same.
func apart(a, b *edge.End, t names.Tag) bool { return a.Has(t) && b.Has(t) && a[t] != b[t] }
