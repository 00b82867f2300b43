package netmapextension

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Thresholds are from which figures on the page shows a warning, and from which it shows that something is bad.
type Thresholds struct {
	// Failures is a share of the attempts, Breaks of the connections that ended.
	Failures Limits `mapstructure:"failures" json:"failures"`
	Breaks   Limits `mapstructure:"breaks" json:"breaks"`
	// Retransmits are segments for each megabyte.
	Retransmits Limits `mapstructure:"retransmits" json:"retransmits"`
	// RTT is the mean round-trip time.
	RTT Durations `mapstructure:"rtt" json:"-"`
	// Churn is attempts a second.
	Churn Limits `mapstructure:"churn" json:"churn"`
}

// Limits are where a warning begins, and where it is bad. Of shares, a warning of 0 begins with the first.
type Limits struct {
	Warn float64 `mapstructure:"warn" json:"warn"`
	Bad  float64 `mapstructure:"bad" json:"bad"`
}

// Durations are where a warning begins, and where it is bad.
type Durations struct {
	Warn time.Duration `mapstructure:"warn"`
	Bad  time.Duration `mapstructure:"bad"`
}

func defaultThresholds() Thresholds {
	return Thresholds{
		Failures: Limits{0, 0.05}, Breaks: Limits{0.01, 0.1}, Retransmits: Limits{1, 10},
		RTT: Durations{50 * time.Millisecond, 200 * time.Millisecond}, Churn: Limits{10, 100},
	}
}

const positive = math.SmallestNonzeroFloat64

func (t *Thresholds) validate() error {
	return errors.Join(
		checkPair("failures", t.Failures.Warn, t.Failures.Bad, 0, 1),
		checkPair("breaks", t.Breaks.Warn, t.Breaks.Bad, 0, 1),
		checkPair("retransmits", t.Retransmits.Warn, t.Retransmits.Bad, positive, math.MaxFloat64),
		checkPair("rtt", t.RTT.Warn.Seconds(), t.RTT.Bad.Seconds(), positive, math.MaxFloat64),
		checkPair("churn", t.Churn.Warn, t.Churn.Bad, positive, math.MaxFloat64),
	)
}

// checkPair also refuses what is not a number, because no comparison with it holds.
func checkPair(key string, warn, bad, least, most float64) error {
	if warn >= least && warn <= bad && bad <= most && bad > 0 {
		return nil
	}
	limit := ""
	if most == 1 {
		limit = ", which must be at most 1"
	}
	return fmt.Errorf("thresholds::%s: warn must not be negative, nor above bad%s; they are %v and %v",
		key, limit, warn, bad)
}

// thresholds are as the API has them, in seconds.
type thresholds struct {
	Thresholds
	RTT Limits `json:"rtt"`
}

func (t Thresholds) forPage() thresholds {
	return thresholds{t, Limits{t.RTT.Warn.Seconds(), t.RTT.Bad.Seconds()}}
}
