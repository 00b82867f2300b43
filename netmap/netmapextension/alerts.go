package netmapextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"

	"github.com/netconn/netconn/netmap/internal/alerts"
	"github.com/netconn/netconn/netmap/internal/view"
)

// AlertsConfig is where the alerts of the map come from: a Prometheus or an Alertmanager. Without an endpoint there are
// none.
type AlertsConfig struct {
	// How to reach it: endpoint, tls, auth, headers, timeout and what else the Collector's clients have.
	confighttp.ClientConfig `mapstructure:",squash"`

	// Kind is prometheus, alertmanager or auto, which asks for both.
	Kind alerts.Kind `mapstructure:"kind"`
	// PollInterval is the time between two requests.
	PollInterval time.Duration `mapstructure:"poll_interval"`
	// Labels are more labels of alerts that name a tag of an end, by the tag.
	Labels map[string][]string `mapstructure:"labels"`
	// Page is the address of the alerts for people, which the page links to.
	Page string `mapstructure:"page"`
}

const (
	leastPoll     = time.Second
	mostTagLabels = 20
)

func defaultAlerts() AlertsConfig {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 5 * time.Second
	return AlertsConfig{ClientConfig: client, Kind: alerts.Auto, PollInterval: 10 * time.Second}
}

func (c *AlertsConfig) validate() error {
	if c.Endpoint == "" {
		return nil
	}
	if !isWeb(c.Endpoint) {
		return errors.New("alerts::endpoint: must begin with http:// or https:// and a host")
	}
	if c.Page != "" && !isWeb(c.Page) {
		return fmt.Errorf("alerts::page: must begin with http:// or https:// and a host, not %q", c.Page)
	}
	if c.PollInterval < leastPoll {
		return fmt.Errorf("alerts::poll_interval: must be at least %v, not %v", leastPoll, c.PollInterval)
	}
	if c.Timeout <= 0 {
		return fmt.Errorf("alerts::timeout: must be positive, but is %v", c.Timeout)
	}
	for tag, labels := range c.Labels {
		if len(labels) < 1 || len(labels) > mostTagLabels {
			return fmt.Errorf("alerts::labels::%s: must have 1 to %d labels", tag, mostTagLabels)
		}
	}
	if _, err := alerts.NewRules(c.Labels); err != nil {
		return fmt.Errorf("alerts::labels: %w", err)
	}
	return nil
}

// isWeb reports whether an address is one that a browser or a client may follow.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// source returns the source of alerts; nil: there is none.
func (c *AlertsConfig) source(ctx context.Context, host component.Host, set component.TelemetrySettings) (
	*alerts.Source, error,
) {
	if c.Endpoint == "" {
		return nil, nil
	}
	client, err := c.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, fmt.Errorf("reach the source of alerts: %w", err)
	}
	rules, err := alerts.NewRules(c.Labels)
	if err != nil {
		return nil, err
	}
	return alerts.New(alerts.Config{
		Client: client, Endpoint: c.Endpoint, Kind: c.Kind, Interval: c.PollInterval, Rules: rules, Page: c.Page,
	}), nil
}

// alertList answers with the alerts. It is about no range of time.
func (a *api) alertList(p *parameters, _ *http.Request) question {
	limit := int(p.number("limit", 200, 0, maxRows))
	return question{value: func(context.Context) (any, error) {
		return view.NewAlertList(a.alerts.Set(), limit), nil
	}}
}
