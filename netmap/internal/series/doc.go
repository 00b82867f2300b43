// Package series reads the points of netconn's metrics: to which series a point belongs, and what it adds to what the
// series had before. Points may be cumulative or deltas, late, or repeated.
//
//   - [Sums] and [Histograms] call a function for each point of a metric that can be counted.
//   - [Hash] tells series apart: by the resource that a receiver means, and by the attributes of the point.
//   - [Counter] and [Histogram] remember the last value of a series, and return what a point adds.
//
// Times are Unix nanoseconds. Nothing here fails: a point that cannot be counted is counted in [Refused]. A Hash is
// safe for concurrent use, a Counter and a Histogram are not.
package series
