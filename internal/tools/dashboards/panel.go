package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Units of Grafana.
const (
	bytesPerSecond = "Bps"
	perSecond      = "cps"
	seconds        = "s"
	share          = "percentunit"
	size           = "bytes"
	count          = "short"
)

// The grid of Grafana is 24 wide.
const (
	wide        = 24
	panelHeight = 8
	statHeight  = 4
)

// A query is what a panel asks, and the legend of its series.
type query struct{ expr, legend string }

// source is the data source that the user chooses at the top of the dashboard.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

func target(q query) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Datasource(source()).Expr(q.expr).LegendFormat(q.legend)
}

// id names the i-th query of a panel, as Grafana does.
func id(i int) string { return string(rune('A' + i)) }

// chart returns a panel with the course of queries, half as wide as the grid.
func chart(title, unit, description string, queries ...query) *timeseries.PanelBuilder {
	p := timeseries.NewPanelBuilder().Title(title).Description(description).Datasource(source()).Unit(unit).Min(0).
		Span(wide / 2).Height(panelHeight).FillOpacity(8).LineWidth(1).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeTable).
			Placement(common.LegendPlacementBottom).Calcs([]string{"mean", "max"})).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	for i, q := range queries {
		p.WithTarget(target(q).Range().RefId(id(i)))
	}
	return p
}

// stacked is a chart of parts that add up.
func stacked(title, unit, description string, queries ...query) *timeseries.PanelBuilder {
	return chart(title, unit, description, queries...).FillOpacity(25).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
}

// number returns a panel with the last value of a query.
func number(columns uint32, title, unit, description, expr string) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Title(title).Description(description).Datasource(source()).Unit(unit).
		Span(columns).Height(statHeight).GraphMode(common.BigValueGraphModeArea).ColorMode(common.BigValueColorModeNone).
		Orientation(common.VizOrientationAuto).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		WithTarget(target(query{expr, ""}).Range().RefId(id(0)))
}

// A column of a list is a query, of which each series is a row, and the unit of its values.
type column struct{ name, unit, expr string }

// list returns a panel with a row for each combination of the labels, by which all columns are grouped. A label is shown
// with its title; a link opens another dashboard for the row.
func list(title, description string, labels [][2]string, columns []column, links ...cog.Builder[dashboard.DashboardLink]) *table.PanelBuilder {
	p := table.NewPanelBuilder().Title(title).Description(description).Datasource(source()).
		Span(wide).Height(panelHeight + 4).ShowHeader(true).Filterable(true).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{"sum"})).
		DataLinks(links).
		WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}})
	titles, order := map[string]any{}, map[string]any{}
	for i, l := range labels {
		titles[l[0]], order[l[0]] = l[1], i
	}
	for i, c := range columns {
		p.WithTarget(target(query{c.expr, ""}).Instant().Format(prometheus.PromQueryFormatTable).RefId(id(i)))
		titles["Value #"+id(i)], order["Value #"+id(i)] = c.name, len(labels)+i
		p.OverrideByName(c.name, []dashboard.DynamicConfigValue{{Id: "unit", Value: c.unit}})
	}
	return p.WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
		"excludeByName": map[string]any{"Time": true}, "renameByName": titles, "indexByName": order,
	}}).SortBy([]cog.Builder[common.TableSortByFieldState]{
		common.NewTableSortByFieldStateBuilder().DisplayName(columns[0].name).Desc(true),
	})
}

// open is a link from a row to a dashboard, for the time that is shown.
func open(title, url string) *dashboard.DashboardLinkBuilder {
	return dashboard.NewDashboardLinkBuilder(title).Type(dashboard.DashboardLinkTypeLink).
		Url(url + "&${__url_time_range}&var-datasource=${datasource}")
}

// A builder builds a dashboard of the model that Grafana 10 and later import. The model that its SDK prefers needs
// Grafana 12.
type builder = dashboard.DashboardBuilder //nolint:staticcheck // as it says above

// begin returns an empty dashboard with the data source as its first variable, and links to the others.
func begin(name, title, description string) *builder {
	return dashboard.NewDashboardBuilder( //nolint:staticcheck // see builder
		"netconn / "+title).Uid("netconn-"+name).Description(description).
		Tags([]string{"netconn"}).Time("now-1h", "now").Refresh("30s").Editable().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus")).
		Link(dashboard.NewDashboardLinkBuilder("netconn").Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{"netconn"}).AsDropdown(true).KeepTime(true))
}

// everything is the regular expression of a variable that is set to "All". It also matches series without the label.
const everything = ".*"

// choice is a variable with the values of a label, several of which can be chosen, or all.
func choice(name, label, metric, of string) *dashboard.QueryVariableBuilder {
	q := "label_values(" + metric + ", " + of + ")"
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(source()).
		Query(dashboard.StringOrMap{String: &q}).Definition(q).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllValue(everything).
		Current(dashboard.VariableOption{Selected: cog.ToPtr(true),
			Text:  dashboard.StringOrArrayOfString{String: cog.ToPtr("All")},
			Value: dashboard.StringOrArrayOfString{String: cog.ToPtr("$__all")}})
}

// row begins a part of a dashboard.
func row(title string) *dashboard.RowBuilder { return dashboard.NewRowBuilder(title) }
