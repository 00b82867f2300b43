//go:build linux

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"
)

const rulesDirectory = "../../deploy/observe/"

// The shipped rules are valid, and each alert fires when it should, and only then. Each hour is recorded exactly.
func TestBackendRules(t *testing.T) {
	for _, arguments := range [][]string{
		{"check", "rules", "--lint-fatal", "rules.yaml", "edges.yaml"}, {"test", "rules", "rules.test.yaml", "edges.test.yaml"},
	} {
		command := exec.Command(backend(t, "promtool"), arguments...)
		command.Dir = rulesDirectory
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", arguments, err, output)
		}
	}
	tested, err := os.ReadFile(rulesDirectory + "rules.test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range recordedNames(t) {
		if text, err := os.ReadFile(rulesDirectory + "edges.test.yaml"); err != nil || !bytes.Contains(text, []byte(record)) {
			t.Errorf("no unit test has %s (%v)", record, err)
		}
	}
	for alert := range shippedRules(t) {
		if !regexp.MustCompile(`alertname: ` + alert + `, exp_alerts`).Match(tested) {
			t.Errorf("no unit test has %s fire", alert)
		}
	}
}

// recordedNames returns the names of the series that the rules record.
func recordedNames(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile(rulesDirectory + "edges.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`(?m)^ +- record: (.*)$`).FindAllSubmatch(text, -1) {
		all = append(all, string(found[1]))
	}
	if len(all) < 16 {
		t.Fatalf("found %v", all)
	}
	return all
}

// shippedRules returns the expressions of the alerts, by their names.
func shippedRules(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(rulesDirectory + "rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			found[rule.Alert] = rule.Expr
		}
	}
	if len(found) < 8 {
		t.Fatalf("found %d alerts", len(found))
	}
	return found
}

// noAlert has the alerts with expressions that return nothing here even without their threshold, and why.
var noAlert = map[string]string{
	"NetconnNewEdge":          "the Prometheus of the test has no samples of yesterday",
	"NetconnCrossZoneJump":    "there are no samples of yesterday",
	"NetconnLosesReports":     "the collector of the test does not export its own metrics",
	"NetconnConnectionsReset": "no connection of the test breaks",
	"NetconnListenDrops":      "no queue of the test is full",
}

// threshold is the comparison at the end of an expression.
var threshold = regexp.MustCompile(`\s*> [0-9.e]+\s*$`)

// wantRules holds that the expression of each alert is valid, and that it has data without its threshold.
func wantRules(t *testing.T, rules map[string]string, ask func(query string) int) {
	t.Helper()
	for alert, expression := range rules {
		_ = ask(expression)
		if reason := noAlert[alert]; reason != "" {
			t.Logf("%s: no data, as %s", alert, reason)
			continue
		}
		wantData(t, alert, threshold.ReplaceAllString(expression, ""), ask)
	}
}
