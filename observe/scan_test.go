package observe_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/observe"
)

// byParser reads the counters and gauges of a text, and the buckets of
// histograms, with the format's own parser.
func byParser(text []byte) (values map[string]float64, err error) {
	defer func() { // it panics at "{}"
		if broken := recover(); broken != nil {
			err = fmt.Errorf("panic: %v", broken)
		}
	}()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	values = make(map[string]float64)
	for name, family := range families {
		for _, m := range family.Metric {
			labels := make(map[string]string)
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			switch family.GetType() {
			case dto.MetricType_COUNTER:
				values[key(name, labels)] = m.Counter.GetValue()
			case dto.MetricType_GAUGE:
				values[key(name, labels)] = m.Gauge.GetValue()
			case dto.MetricType_HISTOGRAM:
				for _, b := range m.Histogram.Bucket {
					labels["le"] = fmt.Sprint(b.GetUpperBound())
					values[key(name+"_bucket", labels)] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return values, nil
}

func key(name string, labels map[string]string) string { return fmt.Sprintf("%s%q", name, labels) }

// byScan reads all that can be counted.
func byScan(text []byte) map[string]float64 {
	values := make(map[string]float64)
	observe.Scan(text, func(name string, labels map[string]string, value float64) {
		values[key(name, labels)] = value
	})
	return values
}

// parse reads a text with the format's own parser.
func parse(text []byte) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	_, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	return err
}

// textOf is what a real gateway says after requests to so many services.
func textOf(tb testing.TB, services, targets int) []byte {
	tb.Helper()
	text, err := gatewayOf(tb, services, targets).Metrics(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// gatewayOf has answered one request to each of so many services.
func gatewayOf(tb testing.TB, services, targets int) running {
	tb.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer upstream.Close()
	var list []gateway.Service
	for i := range services {
		name := fmt.Sprintf("production/service-%03d", i)
		s := service(name, "4b7d9aa0c1d2")
		for j := range targets {
			s.Releases[0].Targets = append(s.Releases[0].Targets, target(upstream, fmt.Sprintf("service-%03d-4b7d9aa-%d", i, j)))
		}
		list = append(list, s)
	}
	g := startGateway(tb, config(list...))
	for i := range services {
		if status := get(tb, fmt.Sprintf("%s/%d", g.url, i)); status != http.StatusOK {
			tb.Fatal(status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	return g
}

func TestScanReadsWhatTheParserReads(t *testing.T) {
	text := textOf(t, 5, 2)
	want, err := byParser(text)
	if err != nil {
		t.Fatal(err)
	}
	got := byScan(text)
	if len(want) < 100 {
		t.Fatalf("only %d series: %s", len(want), text)
	}
	for series, value := range want {
		if value > 1<<53 { // cannot be counted with
			continue
		}
		if v, ok := got[series]; !ok || v != value {
			t.Errorf("%s is %v, %v; want %v", series, v, ok, value)
		}
	}
}

func TestScanOfEscapedLabels(t *testing.T) {
	text := []byte("# TYPE x gauge\n" + `x{a="q\"}, {b=\"\\",c="l\nm"} 12 1700000000` + "\nx 1e3\ny{} 2\n\nno-value\n{a=\"b\"} 3\nbroken{a=\"b 3\nnan NaN\nnegative -1\n")
	got := byScan(text)
	want := map[string]float64{key("x", map[string]string{"a": `q"}, {b="\`, "c": "l\nm"}): 12, "xmap[]": 1000, "ymap[]": 2}
	if !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("# HELP x y\n# TYPE x counter\nx{a=\"b\",c=\"d\\\"\\\\\\n\"} 12\nx{a=\"}\"} 1.5e+06 1700\n"))
	f.Add([]byte("greenlight_gateway_requests_total{code=\"2xx\",release=\"v1\",route=\"r\",service=\"dev/shop\"} 3\n"))
	f.Add([]byte("greenlight_gateway_request_seconds_bucket{service=\"dev/shop\",le=\"+Inf\"} 3\ngreenlight_gateway_request_seconds_bucket{service=\"dev/shop\",le=\"0.1\"} 2\n"))
	f.Add([]byte("a}{ 1\n{ 2\n}\nx{=\"\"} 1\nx{a=\"\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got := byScan(text)
		for series, value := range got {
			if !(value >= 0) || math.IsInf(value, 0) {
				t.Errorf("%s is %v", series, value)
			}
		}
		half := len(text) / 2
		for service, requests := range observe.Take(text[:half], text, text[half:], text) {
			if !(requests >= 0) {
				t.Errorf("%s had %v requests", service, requests)
			}
		}
		want, err := byParser(text)
		if err != nil || bytes.ContainsAny(text, "\t\r") || bytes.Contains(text, []byte("  ")) {
			return // only what the gateway writes has to be read alike
		}
		for series, value := range want {
			if v, ok := got[series]; ok && v != value && !math.IsNaN(value) {
				t.Errorf("%s is %v, the parser says %v", series, v, value)
			}
		}
	})
}

func TestQuantile(t *testing.T) {
	bounds := []float64{.1, 1, math.Inf(1)}
	for _, c := range []struct {
		q      float64
		counts []float64
		want   float64
	}{
		{.5, []float64{0, 0, 0}, 0},
		{.5, []float64{10, 0, 0}, .05},
		{.99, []float64{10, 0, 0}, .099},
		{.5, []float64{0, 10, 0}, .55},
		{.99, []float64{99, 1, 0}, .1},
		{.995, []float64{99, 1, 0}, .55},
		{.5, []float64{0, 0, 3}, 1},
		{.5, []float64{1, 0, 1}, .1},
		{.5, nil, 0},
	} {
		if got := observe.Quantile(c.q, bounds, c.counts); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("quantile %v of %v is %v, want %v", c.q, c.counts, got, c.want)
		}
	}
}
