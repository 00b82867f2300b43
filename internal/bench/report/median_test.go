package report

import "testing"

// The median does not depend on the order, and does not reorder the caller's values.
func TestMedianKeepsTheOrder(t *testing.T) {
	values := []float64{9, 1, 5, 3}
	if got := Median(values); got != 4 || values[0] != 9 || values[3] != 3 {
		t.Errorf("got %v of %v, want 4 of 9, 1, 5, 3", got, values)
	}
}

// One value that is far off moves the median by one place, and no further.
func TestMedianOfAnOutlier(t *testing.T) {
	if got := Median([]float64{1, 2, 3, 1e9, 2}); got != 2 {
		t.Errorf("got %v, want 2", got)
	}
}
