package schema

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Check returns one error for each value of a file that is not what its key takes. The value has the types of YAML:
// maps with texts for keys, slices, texts, numbers, booleans and nil. Nil is a key without a value, which keeps the
// default.
func (n *Node) Check(value any) error { return n.check("", value) }

func (n *Node) check(path string, value any) error {
	if value == nil {
		return nil
	}
	switch n.Kind {
	case Object, Map:
		return n.checkKeys(path, value)
	case List:
		return n.checkElements(path, value)
	case Any, Text: // a text that looks like a number is a number here, and is decoded from what was written
		return nil
	}
	if err := n.checkScalar(value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (n *Node) checkKeys(path string, value any) error {
	m, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: must have keys, not be %s", path, show(value))
	}
	var errs error
	for _, key := range slices.Sorted(maps.Keys(m)) {
		below := n.Of
		if n.Kind == Object {
			below = n.Keys[key]
		}
		if below == nil {
			errs = errors.Join(errs, fmt.Errorf("%s: there is no such key%s", join(path, key), n.hint(key)))
			continue
		}
		errs = errors.Join(errs, below.check(join(path, key), m[key]))
	}
	return errs
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "::" + key
}

// hint names the key that was probably meant: at most two changes away, and with a letter in common.
func (n *Node) hint(key string) string {
	best, distance := "", 3
	for _, known := range slices.Sorted(maps.Keys(n.Keys)) {
		if d := editDistance(key, known); d < min(distance, len(known)) {
			best, distance = known, d
		}
	}
	if best == "" {
		return ""
	}
	return "; " + best + " is one"
}

// editDistance returns how many bytes must be added, removed or replaced to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func (n *Node) checkElements(path string, value any) error {
	elements, ok := value.([]any)
	if !ok {
		return fmt.Errorf("%s: must be a list, not %s", path, show(value))
	}
	var errs error
	for _, e := range elements {
		errs = errors.Join(errs, n.Of.check(path, e))
	}
	return errs
}

func (n *Node) checkScalar(value any) error {
	text, isText := value.(string)
	number, isNumber := toNumber(value)
	_, isBool := value.(bool)
	switch {
	case n.Kind == Duration:
		return checkDuration(value)
	case n.Kind == Boolean && !isBool:
		return fmt.Errorf("must be true or false, not %s", show(value))
	case n.Kind == Number && !isNumber:
		return fmt.Errorf("must be a number, not %s", show(value))
	case n.Kind == Integer && (!isNumber || number != math.Trunc(number)):
		return fmt.Errorf("must be a whole number, not %s", show(value))
	case n.Kind == Choice && (!isText || !slices.Contains(n.Choices, text)):
		return fmt.Errorf("must be %s, not %s", either(n.Choices), show(value))
	case n.Kind == Parsed && !isText:
		return fmt.Errorf("must be a text, not %s", show(value))
	case n.Kind == Parsed:
		return n.parse(text)
	}
	return nil
}

// checkDuration refuses a number: it would be taken for nanoseconds. Zero needs no unit.
func checkDuration(value any) error {
	if text, ok := value.(string); ok {
		if _, err := time.ParseDuration(text); err != nil {
			return fmt.Errorf("must be a duration such as 10s or 500ms, not %q", text)
		}
		return nil
	}
	number, ok := toNumber(value)
	switch {
	case !ok:
		return fmt.Errorf("must be a duration such as 10s or 500ms, not %s", show(value))
	case number != 0:
		return fmt.Errorf("%v has no unit; write %vs if it is in seconds", value, value)
	}
	return nil
}

func toNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// either returns "a, b or c".
func either(choices []string) string {
	last := len(choices) - 1
	if last < 1 {
		return strings.Join(choices, "")
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// show returns a value as an error names it.
func show(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case []any:
		return "a list"
	case map[string]any:
		return "keys"
	}
	return fmt.Sprint(value)
}
