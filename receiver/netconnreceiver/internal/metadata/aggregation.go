package metadata

// The aggregation strategies that the generated configuration names. mdatagen declares them beside its metrics builder,
// which this receiver does without: that builder has no histograms, and merges points in quadratic time.
const (
	AggregationStrategySum = "sum"
	AggregationStrategyAvg = "avg"
	AggregationStrategyMin = "min"
	AggregationStrategyMax = "max"
)
