package netmapextension

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/netconn/netconn/netmap/internal/view"
)

// CostsConfig has the prices of a gigabyte (1e9 bytes) between zones and regions, both directions.
type CostsConfig struct {
	// Currency is shown behind each cost.
	Currency string `mapstructure:"currency"`
	// Zones is the price between any two zones of one region, Regions between any two regions.
	Zones   float64 `mapstructure:"zones"`
	Regions float64 `mapstructure:"regions"`
	// Pairs are prices between two zones, or two regions. They replace the others.
	Pairs []PairPrice `mapstructure:"pairs"`
}

// A PairPrice is the price between two places, in both directions.
type PairPrice struct {
	Between []string `mapstructure:"between"`
	Price   float64  `mapstructure:"price"`
}

const (
	maxPairs    = 1000
	maxCurrency = 8
)

func (c *CostsConfig) validate() error {
	faults := []error{checkPrice("zones", c.Zones), checkPrice("regions", c.Regions)}
	if utf8.RuneCountInString(c.Currency) > maxCurrency {
		faults = append(faults, fmt.Errorf("costs::currency: must have at most %d letters, not %q",
			maxCurrency, c.Currency))
	}
	if len(c.Pairs) > maxPairs {
		faults = append(faults, fmt.Errorf("costs::pairs: must be at most %d, not %d", maxPairs, len(c.Pairs)))
	}
	seen := make(map[[2]string]bool)
	for i, p := range c.Pairs {
		key := fmt.Sprintf("pairs::%d::", i)
		faults = append(faults, checkPrice(key+"price", p.Price))
		if len(p.Between) != 2 || p.Between[0] == "" || p.Between[1] == "" || p.Between[0] == p.Between[1] {
			faults = append(faults, fmt.Errorf("costs::%sbetween: must be two different zones or regions, not %q",
				key, p.Between))
			continue
		}
		if pair := view.Pair(p.Between[0], p.Between[1]); seen[pair] {
			faults = append(faults, fmt.Errorf("costs::%sbetween: %q and %q have a price already",
				key, pair[0], pair[1]))
		} else {
			seen[pair] = true
		}
	}
	return errors.Join(faults...)
}

func checkPrice(key string, price float64) error {
	if price >= 0 && price <= math.MaxFloat32 {
		return nil
	}
	return fmt.Errorf("costs::%s: must be a price, not %v", key, price)
}

// prices returns the prices for the map. nil: there are none.
func (c *CostsConfig) prices() *view.Prices {
	if c.Zones == 0 && c.Regions == 0 && len(c.Pairs) == 0 {
		return nil
	}
	p := &view.Prices{Zones: c.Zones, Regions: c.Regions, Pairs: make(map[[2]string]float64, len(c.Pairs))}
	for _, pair := range c.Pairs {
		p.Pairs[view.Pair(pair.Between[0], pair.Between[1])] = pair.Price
	}
	return p
}

// costs are as the API has them.
type costs struct {
	Currency string `json:"currency"`
}

func (c *CostsConfig) forPage() *costs {
	if c.prices() == nil {
		return nil
	}
	return &costs{c.Currency}
}
