package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// A place is a kind of place that traffic is paid for between, with the labels of both ends, and the variable with its
// price.
type place struct{ name, own, peer, price string }

var (
	zone   = place{"zone", "cloud_availability_zone", "netconn_peer_zone", "$zone_price"}
	region = place{"region", "cloud_region", "netconn_peer_region", "$region_price"}
)

// between returns bytes a second between two different places, by the places and more labels. PromQL cannot compare two
// labels: it takes what is within each place away.
func (p place) between(more string) string {
	bytes := where(zoneBytes, fromClient, inNamespace, p.own+`!=""`, p.peer+`!=""`)
	if more != "" {
		more = ", " + more
	}
	within := fmt.Sprintf(`label_replace(sum by (%[1]s) (%[2]s), %[3]q, "$1", %[1]q, "(.*)")`, p.own, bytes, p.peer)
	return fmt.Sprintf("%s unless on (%s, %s) %s", rate(p.own+", "+p.peer+more, bytes), p.own, p.peer, within)
}

// legend is the name of a pair of places.
func (p place) legend() string { return "{{" + p.own + "}} → {{" + p.peer + "}}" }

const secondsOfDay = 24 * 60 * 60

// cost returns the money of a day, at the rate of bytes and the price of a gigabyte.
func (p place) cost(bytes string) string {
	return fmt.Sprintf("(%s) * %d / 1e9 * %s", bytes, secondsOfDay, p.price)
}

// zones shows the bytes that cross zones and regions, and what they cost.
func zones() *builder {
	const unit = "Both directions, as the clients' ends report them, at the price of a gigabyte (1,000,000,000 bytes) above."
	d := begin("zones", "Zones and regions",
		"Bytes that cross zones and regions, and their cost. It needs netconn.zone.io, and the zones of nodes.").
		WithVariable(choice("namespace", "Namespace", zoneBytes, "k8s_namespace_name")).
		WithVariable(price("zone_price", "Price per GB between zones", "0.01")).
		WithVariable(price("region_price", "Price per GB between regions", "0.02")).
		WithPanel(number(6, "Between zones", bytesPerSecond, "", "sum("+zone.between("")+")")).
		WithPanel(number(6, "Cost of a day between zones", count, unit, zone.cost("sum("+zone.between("")+")"))).
		WithPanel(number(6, "Between regions", bytesPerSecond, "", "sum("+region.between("")+")")).
		WithPanel(number(6, "Cost of a day between regions", count, unit, region.cost("sum("+region.between("")+")")))
	for _, p := range []place{zone, region} {
		d.WithRow(row("By " + p.name)).
			WithPanel(stacked("Bytes from "+p.name+" to "+p.name, bytesPerSecond,
				"From the client's to the server's, both directions.",
				query{p.between(""), p.legend()})).
			WithPanel(stacked("Cost of a day from "+p.name+" to "+p.name, count, unit,
				query{p.cost(p.between("")), p.legend()}))
	}
	return d.WithRow(row("Who causes it")).
		WithPanel(list("Services by their cost of a day between zones", unit,
			[][2]string{{"service_name", "Client"}, {zone.own, "From"}, {zone.peer, "To"}},
			[]column{
				{"Cost of a day", count, zone.cost(zone.between("service_name"))},
				{"Bytes", bytesPerSecond, zone.between("service_name")},
			},
			open("Service", "/d/netconn-service?var-service=${__data.fields.Client}")))
}

// price is a variable that the user types a price into.
func price(name, label, value string) *dashboard.TextBoxVariableBuilder {
	return dashboard.NewTextBoxVariableBuilder(name).Label(label).DefaultValue(dashboard.StringOrMap{String: cog.ToPtr(value)}).
		Current(dashboard.VariableOption{
			Text:  dashboard.StringOrArrayOfString{String: cog.ToPtr(value)},
			Value: dashboard.StringOrArrayOfString{String: cog.ToPtr(value)},
		})
}
