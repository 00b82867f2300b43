package alerts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

func usual(t *testing.T) *Rules {
	t.Helper()
	r, err := NewRules(nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parsed(t *testing.T, kind Kind, answer string) []Alert {
	t.Helper()
	all, err := Read(kind, strings.NewReader(answer), usual(t), "")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var shown = cmp.Options{
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".target" }, cmp.Ignore()),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".ID" }, cmp.Ignore()),
}

// The files are answers of Prometheus 3.13 and Alertmanager 0.35.
func TestAnswers(t *testing.T) {
	for kind, want := range map[Kind][]Alert{
		Prometheus: {
			{
				Name: "PodDown", State: Firing, Severity: "critical", Summary: "web-1 is down", Since: 1764000000.5,
				Labels: map[string]string{"alertname": "PodDown", "namespace": "prod", "pod": "web-1", "severity": "critical"},
				Links:  []Link{{"dashboard", "https://grafana.example/d/1"}, {"runbook", "https://runbooks.example/down"}},
				About:  About{"pod", "web-1"},
			},
			{
				Name: "Slow", Since: 1764000060, Labels: map[string]string{"alertname": "Slow", "service_name": "web"},
				Links: []Link{}, About: About{"service", "web"},
			},
		},
		Alertmanager: {{
			Name: "NodeDown", State: Firing, Severity: "warning", Summary: "n1 does not answer", Since: 1764000000,
			Labels: map[string]string{"alertname": "NodeDown", "node": "n1", "severity": "warning", "namespace": "monitoring"},
			Links:  []Link{{"source", "http://prometheus.example:9090/graph?g0.expr=up"}}, About: About{"node", "n1"},
		}},
	} {
		answer, err := os.ReadFile(filepath.Join("testdata", string(kind)+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, parsed(t, kind, string(answer)), shown); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kind, diff)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for answer, want := range map[string]string{
		"": "it is not an answer with alerts: EOF", "<html>": "it is not an answer with alerts: invalid character",
		`{"status":"success"}`:                     `it is not the answer of Prometheus: status "success"`,
		`{"status":"error","error":"no database"}`: `error "no database"`,
		`[]`: "it is not an answer with alerts: cannot unmarshal array",
		`{"status":"success","data":{"alerts":[` + strings.Repeat(" ", maxAnswer): "the answer has more than 8388608 bytes",
	} {
		if got, err := Prometheus.parse(strings.NewReader(answer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, %v, want %s", answer, got, err, want)
		}
	}
	if _, err := Alertmanager.parse(strings.NewReader(`{"data":{}}`)); err == nil {
		t.Error("an object is not the answer of Alertmanager")
	}
}

// Labels come from workloads and annotations from templates over them: their number and length are bounded.
func TestLimits(t *testing.T) {
	labels := map[string]string{"alertname": strings.Repeat("n", 5000), "zzz_pod_name": "x", "pod": "web-1"}
	for i := range 500 {
		labels[fmt.Sprintf("a%03d", i)] = strings.Repeat("v", 5000)
	}
	annotations := map[string]string{"summary": strings.Repeat("ä", 5000)}
	for i := range 20 {
		annotations[fmt.Sprintf("l%02d_url", i)] = "http://x.example/"
	}
	a := newAlert(received{labels: labels, annotations: annotations}, usual(t), "http://page.example/")
	bytes := len(a.Name) + len(a.Summary)
	for k, v := range a.Labels {
		bytes += len(k) + len(v)
	}
	if len(a.Labels) != maxLabels || len(a.Links) != maxLinks || bytes > maxLabels*(128+128)+128+maxText+3 {
		t.Errorf("%d labels and %d links in %d bytes", len(a.Labels), len(a.Links), bytes)
	}
	if a.About != (About{"pod", "web-1"}) {
		t.Errorf("the labels beyond the limit decide too: %+v", a.About)
	}
	var many []Alert
	for i := range maxAlerts + 7 {
		many = append(many, newAlert(received{labels: map[string]string{"n": fmt.Sprint(i)}, state: State(i % 2)}, usual(t), ""))
	}
	s := NewSet(Status{}, many)
	if firing, pending := s.Count(); len(s.Alerts) != maxAlerts || s.Status.LeftOut != 7 || firing != 503 || pending != 497 {
		t.Errorf("%d alerts, %d left out, %d firing, %d pending", len(s.Alerts), s.Status.LeftOut, firing, pending)
	}
}

func TestLinksOfTheWebOnly(t *testing.T) {
	a := newAlert(received{annotations: map[string]string{
		"a_url": "javascript:alert(1)", "b_url": "data:text/html,x", "c_url": "/relative", "d_url": "HTTPS://ok.example/#x",
		"e_url": "http://" + strings.Repeat("x", maxURL), "f_url": " http://x.example", "g_url": "http:opaque", "h": "http://not.a.link",
	}, generator: "file:///etc/passwd"}, usual(t), "vbscript:x")
	if diff := cmp.Diff([]Link{{"d", "HTTPS://ok.example/#x"}}, a.Links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func end(tags map[names.Tag]string) *edge.End {
	var e edge.End
	for tag, value := range tags {
		e[tag] = edge.Text(value)
	}
	return &e
}

// The end is a container of a pod, as it reports itself.
func TestWhatAnAlertIsAbout(t *testing.T) {
	web := end(map[names.Tag]string{
		names.TagNamespace: "prod", names.TagPod: "web-1", names.TagPodUID: "u1", names.TagWorkload: "web", names.TagContainer: "app",
		names.TagContainerID: "c1", names.TagService: "shop-web", names.TagNode: "n1", names.TagName: "web", names.TagZone: "eu-1a",
	})
	for _, tt := range []struct {
		labels string // name=value, ...
		about  string
		is     bool
	}{
		{"pod=web-1", "pod", true},
		{"pod=web-2", "pod", false},
		{"pod=web-1,namespace=prod", "pod", true},
		{"pod=web-1,namespace=test", "pod", false},
		{"pod=web-1,container=app", "pod", true},
		{"pod=web-1,container=istio-proxy", "pod", false},
		{"pod=web-1,cluster=east", "pod", true}, // the end does not know its cluster
		{"pod=web-1,namespace=prod,service=kube-state-metrics,node=n9,job=ksm", "pod", true},
		{"k8s_pod_name=web-1,k8s_namespace_name=prod", "pod", true},
		{"k8s_pod_uid=u1", "pod.uid", true},
		{"container_id=c1,pod=other", "container.id", true},
		{"deployment=web,namespace=prod", "workload", true},
		{"statefulset=web,namespace=test", "workload", false},
		{"container=app,namespace=prod", "container", true},
		{"service_name=shop-web", "service", true},
		{"service=web", "service", true}, // its best known name
		{"service=web,namespace=test", "service", false},
		{"node=n1,namespace=monitoring,container=node-exporter", "node", true},
		{"host_name=n2", "node", false},
		{"namespace=prod", "namespace", true},
		{"namespace=test", "namespace", false},
		{"zone=eu-1a", "", false},
		{"pod=", "", false},
		{"alertname=Watchdog", "", false},
	} {
		labels := map[string]string{}
		for _, pair := range strings.Split(tt.labels, ",") {
			name, value, _ := strings.Cut(pair, "=")
			labels[name] = value
		}
		s := NewSet(Status{}, []Alert{newAlert(received{labels: labels, state: Firing}, usual(t), "")})
		if got := len(s.Of(web)) == 1; got != tt.is || s.Alerts[0].About.Tag != tt.about {
			t.Errorf("%s: about %+v, of the end: %v", tt.labels, s.Alerts[0].About, got)
		}
	}
}

func TestLabelsOfTheConfiguration(t *testing.T) {
	r, err := NewRules(map[string][]string{"pod": {"my_pod"}, "zone": {"az"}, "cluster": {"env"}, "namespace": {"team"}})
	if err != nil {
		t.Fatal(err)
	}
	e := end(map[names.Tag]string{names.TagPod: "web-1", names.TagZone: "eu-1a", names.TagCluster: "east", names.TagNamespace: "prod"})
	for want, all := range map[bool][]map[string]string{
		true: {
			{"my_pod": "web-1", "pod": "exporter"}, {"az": "eu-1a"}, {"my_pod": "web-1", "env": "east"},
			{"team": "prod", "namespace": "monitoring"},
		},
		false: {{"my_pod": "web-2", "pod": "web-1"}, {"az": "eu-1b"}, {"my_pod": "web-1", "env": "west"}, {"my_pod": "web-1", "team": "x"}},
	} {
		for _, labels := range all {
			if got := len(NewSet(Status{}, []Alert{newAlert(received{labels: labels}, r, "")}).Of(e)) == 1; got != want {
				t.Errorf("%v: %v", labels, got)
			}
		}
	}
	if _, err := NewRules(map[string][]string{"colour": {"x"}}); err == nil {
		t.Error("colour is no tag")
	}
	if usual(t).deciding[2].labels[0] != "pod" {
		t.Error("the usual rules have changed")
	}
}

// Both servers of a pair send an alert; it is one. The firing ones are first, then the severe ones.
func TestTheOrder(t *testing.T) {
	alert := func(name, severity string, state State) Alert {
		return newAlert(received{labels: map[string]string{"alertname": name, "severity": severity, "pod": "a"}, state: state}, usual(t), "")
	}
	s := NewSet(Status{}, []Alert{
		alert("f", "info", Firing), alert("a", "critical", Pending), alert("e", "strange", Firing), alert("b", "Critical", Firing),
		alert("b", "Critical", Firing), alert("d", "warning", Firing),
	})
	var order strings.Builder
	for _, i := range s.Of(end(map[names.Tag]string{names.TagPod: "a"})) {
		order.WriteString(s.Alerts[i].Name)
	}
	if order.String() != "bdefa" {
		t.Errorf("order %s", &order)
	}
	var none *Set
	if firing, pending := none.Count(); none.Of(&edge.End{}) != nil || firing+pending != 0 {
		t.Error("there is no set, and it has alerts")
	}
}
