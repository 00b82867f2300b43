package schema

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestJSON(t *testing.T) {
	defaults := map[string]any{
		"every": 10 * time.Second, "size": 3, "colour": "red", "name": "", "share": 0.5, "on": true,
		"below": map[string]any{"size": 4}, "limits": []any{time.Second},
	}
	got := whole().JSON(defaults)
	keys := got["properties"].(map[string]any)
	want := map[string]any{
		"every": "10s", "size": 3, "colour": "red", "name": nil, "share": 0.5, "on": true, "limits": nil, "opaque": nil,
	}
	for key, value := range want {
		if diff := cmp.Diff(value, keys[key].(map[string]any)["default"]); diff != "" {
			t.Errorf("the default of %s: %s", key, diff)
		}
	}
	below := keys["below"].(map[string]any)["properties"].(map[string]any)
	if got := below["size"].(map[string]any)["default"]; got != 4 {
		t.Errorf("the default of below::size is %v", got)
	}
	if len(keys) != len(whole().Keys) {
		t.Errorf("%d keys, want %d", len(keys), len(whole().Keys))
	}
}

// compiled returns the schema as a validator that editors use would read it.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s := whole().JSON(nil)
	s["$defs"] = Definitions()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// The schema and Check say the same of a value, apart from references, which the Collector replaces before Check, and
// from the format of Parsed keys.
func TestJSONAgreesWithCheck(t *testing.T) {
	s := compiled(t)
	for text, want := range map[string]bool{
		`{}`: true, `{"every": "1h30m"}`: true, `{"every": "1.5s"}`: true, `{"every": "0"}`: true, `{"every": 0}`: true,
		`{"every": ".5µs"}`: true, `{"every": "-1s"}`: true, `{"every": null}`: true, `{"every": 10}`: false,
		`{"every": "10"}`: false, `{"every": "ten"}`: false, `{"every": "1s "}`: false, `{"every": ["1s"]}`: false,
		`{"size": 3}`: true, `{"size": 3.5}`: false, `{"size": "3"}`: false, `{"size": true}`: false,
		`{"share": 0.25}`: true, `{"share": 1}`: true, `{"share": "x"}`: false,
		`{"on": true}`: true, `{"on": "true"}`: false, `{"on": 1}`: false,
		`{"colour": "blue"}`: true, `{"colour": "pink"}`: false, `{"colour": 1}`: false,
		`{"name": "n"}`: true, `{"name": 7}`: true, `{"opaque": {"any": ["thing"]}}`: true,
		`{"limits": ["1s", "2s"]}`: true, `{"limits": "1s"}`: false, `{"limits": ["1s", 2]}`: false,
		`{"codes": {"a": ["bc"]}}`: true, `{"codes": {"a": "bc"}}`: false, `{"codes": ["bc"]}`: false,
		`{"codes": {"a": [1]}}`: false, `{"below": {"size": 1}}`: true, `{"below": {"sice": 1}}`: false,
		`{"below": 1}`: false, `{"unknown": 1}`: false, `{"Untold": 1}`: false,
	} {
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); (err == nil) != want {
			t.Errorf("the schema of %s: %v", text, err)
		}
		if err := whole().Check(value); (err == nil) != want {
			t.Errorf("Check of %s: %v", text, err)
		}
	}
}

func TestJSONTakesReferences(t *testing.T) {
	s := compiled(t)
	for _, key := range []string{"every", "size", "share", "on", "colour", "name"} {
		if err := s.Validate(map[string]any{key: "${env:VALUE}"}); err != nil {
			t.Error(err)
		}
		if key != "name" {
			if err := s.Validate(map[string]any{key: "$VALUE"}); err == nil {
				t.Errorf("%s takes anything", key)
			}
		}
	}
}
