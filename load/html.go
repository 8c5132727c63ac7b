package load

import (
	"cmp"
	_ "embed"
	htmltemplate "html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/greenlight-dev/greenlight/chart"
)

//go:embed report.html
var reportPage string

// WriteHTML writes a report with charts as one file that needs no other.
func (r *Result) WriteHTML(out io.Writer) error {
	page, err := htmltemplate.New("report").Funcs(htmltemplate.FuncMap{
		"seconds": Seconds, "percent": percent, "value": Verdict.value, "megabytes": bytesText, "rate": PerSecond, "count": counted, "number": grouped, "kind": Kind.words,
		"time": func(s Summary, v float64) string { return s.text(v) },
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(out, struct {
		*Result
		State     string
		Heading   string
		Asked     string
		LagNote   string
		Failing   bool
		Failures  string
		Times     []timesRow
		FewTimes  bool
		Latency   htmltemplate.HTML
		Arrivals  htmltemplate.HTML
		Spread    htmltemplate.HTML
		HasSeries bool
		Evidence  []ServerRow
		ServerCPU htmltemplate.HTML
		Search    htmltemplate.HTML
	}{r, r.state(), r.conclusion(), r.asked(), r.lagNote(), r.ErrorShare() >= manyErrors, r.errorText(), r.timesRows(), !Known(0.9999, r.Requests), r.latencyChart(), r.rateChart(), r.spreadChart(), len(r.Seconds) > 1, r.evidence(), r.cpuChart(), r.searchChart()})
}

// manyErrors is the share of errors from which they are what a test shows.
const manyErrors = 0.1

// state is the colour of the whole result.
func (r *Result) state() string {
	switch {
	case r.Void, !r.Passed(), strings.HasPrefix(r.Stopped, targetDown), len(r.Verdicts) == 0 && r.ErrorShare() >= manyErrors:
		return "stop"
	case r.Stopped != "" || len(r.Verdicts) == 0 && r.Errors > 0:
		return "hold"
	}
	return "go"
}

func (r *Result) evidence() []ServerRow {
	if r.Server == nil {
		return nil
	}
	return r.Server.Rows()
}

type timesRow struct {
	Name, Meaning string
	Summary
	count int64
}

// timesCell is one time of a distribution and what it is.
type timesCell struct{ Name, Text string }

// Cells are its times; a dash where there are none, or too few to have that
// percentile.
func (t timesRow) Cells() []timesCell {
	tail := func(v, share float64) string {
		if !Known(share, t.count) {
			return "–"
		}
		return t.text(v)
	}
	return []timesCell{
		{"p50", t.text(t.P50)}, {"p90", t.text(t.P90)}, {"p95", t.text(t.P95)}, {"p99", t.text(t.P99)},
		{"p99.9", tail(t.P999, 0.999)}, {"p99.99", tail(t.P9999, 0.9999)}, {"max", t.text(t.Max)}, {"mean", t.text(t.Mean)},
	}
}

func (r *Result) timesRows() []timesRow {
	return []timesRow{
		{"response", "from when a request was due to its answer", r.Response, r.ResponseTimes.Count()},
		{"service", "from when it was sent to its answer", r.Service, r.ServiceTimes.Count()},
		{"lag", "what the generator added", r.Lag, r.Requests},
	}
}

// cpuChart is what all replicas together used over the time of the test; ""
// where nobody saw it.
func (r *Result) cpuChart() htmltemplate.HTML {
	if r.Server == nil || len(r.Server.Seconds) < 2 {
		return ""
	}
	l := chart.Line{Colour: chart.Run}
	for _, s := range r.Server.Seconds {
		l.Points = append(l.Points, chart.Point{s.At, s.CPU})
	}
	return secondsChart("Processor cores that the replicas used", chart.Axis{Title: "cores"}, nil, l)
}

// latencyChart is response times over the time of the test, with the limits
// that they had to keep.
func (r *Result) latencyChart() htmltemplate.HTML {
	var lines []chart.Line
	most := 0.0
	for _, part := range r.series(func(s Second) float64 { return s.P99 }) {
		lines = append(lines, chart.Line{Colour: chart.Run, Points: part})
		for _, p := range part {
			most = max(most, p[1])
		}
	}
	for _, part := range r.series(func(s Second) float64 { return s.P50 }) {
		lines = append(lines, chart.Line{Colour: chart.Go, Points: part})
	}
	y := chart.Axis{Write: roundSeconds, Title: "response time"}
	var limits []chart.Rule
	for _, v := range r.Verdicts {
		t, err := ParseThreshold(v.Threshold)
		if err == nil && t.share > 0 && t.of == "response" && t.limit <= 4*most { // further away it would flatten the lines
			limits = append(limits, chart.Rule{Colour: chart.Stop, At: t.limit, Text: v.Threshold})
			y.To = max(y.To, 1.1*max(t.limit, most))
		}
	}
	return secondsChart("Response time, p50 and p99 of every second", y, limits, lines...)
}

// rateChart is requests and errors over the time of the test.
func (r *Result) rateChart() htmltemplate.HTML {
	requests, errors := chart.Line{Colour: chart.Run}, chart.Line{Colour: chart.Stop}
	for _, s := range r.wholeSeconds() {
		requests.Points = append(requests.Points, chart.Point{s.At, float64(s.Requests) / s.Length})
		errors.Points = append(errors.Points, chart.Point{s.At, float64(s.Errors) / s.Length})
	}
	return secondsChart("Requests and errors, a second", chart.Axis{Title: "requests/s", Write: wholeOrPlain}, nil, requests, errors)
}

func secondsChart(label string, y chart.Axis, rules []chart.Rule, lines ...chart.Line) htmltemplate.HTML {
	c := chart.Chart{Label: label, Lines: lines, Rules: rules, Y: y, X: chart.Axis{Title: "seconds since the start"}}
	return c.SVG()
}

// searchChart is the response times of the rates that a search for the knee
// tried; "" for any other test.
func (r *Result) searchChart() htmltemplate.HTML {
	if r.Knee == nil || len(r.Knee.Rungs) < 2 {
		return ""
	}
	p50, p99 := chart.Line{Colour: chart.Go}, chart.Line{Colour: chart.Run}
	most := 0.0
	rungs := slices.Clone(r.Knee.Rungs)
	slices.SortStableFunc(rungs, func(a, b RungSummary) int { return cmp.Compare(a.Rate, b.Rate) })
	for _, rung := range rungs {
		if strings.HasPrefix(rung.Why, "void") {
			continue
		}
		p50.Points = append(p50.Points, chart.Point{rung.Rate, rung.P50})
		p99.Points = append(p99.Points, chart.Point{rung.Rate, rung.P99})
		if rung.Met {
			most = max(most, rung.P99)
		}
	}
	c := chart.Chart{Label: "Response time, p50 and p99 of every rate that was tried", Lines: []chart.Line{p99, p50},
		X: chart.Axis{Title: "requests/s", Write: wholeOrPlain}, Y: chart.Axis{Title: "response time", Write: roundSeconds, To: 4 * most}}
	if r.Knee.Rate > 0 {
		c.Rules = []chart.Rule{{Colour: chart.Go, At: r.Knee.Rate, Vertical: true, Text: "meets the SLO"}}
	}
	return c.SVG()
}

// wholeSeconds leaves out the end of a test that fills too little of a second.
func (r *Result) wholeSeconds() (seconds []Second) {
	for _, s := range r.Seconds {
		if s.Length >= 0.5 {
			seconds = append(seconds, s)
		}
	}
	return seconds
}

// series is a figure of response times in parts: a second in which nothing was
// answered has none, and is a gap.
func (r *Result) series(value func(Second) float64) (parts [][]chart.Point) {
	gap := true
	for _, s := range r.wholeSeconds() {
		if s.Max == 0 { // refused connections have no time either
			gap = true
			continue
		}
		if gap {
			parts = append(parts, nil)
			gap = false
		}
		last := &parts[len(parts)-1]
		*last = append(*last, chart.Point{s.At, value(s)})
	}
	return parts
}

// spreadChart is the distribution, with every nine as wide as the one
// before: the tail is what matters.
func (r *Result) spreadChart() htmltemplate.HTML {
	const most = 4.5 // nines
	nines := func(share float64) float64 { return min(-math.Log10(1-share), most) }
	points := func(h *Histogram) (points []chart.Point) {
		curve := h.Curve()
		for i, p := range curve {
			at := 0.0 // a value holds from the share before it on
			if i > 0 {
				at = nines(curve[i-1].Share)
			}
			points = append(points, chart.Point{at, p.Seconds}, chart.Point{nines(p.Share), p.Seconds})
		}
		return points
	}
	marks := []chart.Mark{{At: nines(0.5), Text: "50 %"}}
	for n := 1; float64(n) < most; n++ {
		marks = append(marks, chart.Mark{At: float64(n), Text: strconv.FormatFloat(100-math.Pow(10, 2-float64(n)), 'f', max(0, n-2), 64) + " %"})
	}
	c := chart.Chart{
		Label: "Distribution of response and service times", X: chart.Axis{To: most, Marks: marks, Title: "share of requests that took no longer"},
		Y:     chart.Axis{Write: roundSeconds, Title: "time"},
		Lines: []chart.Line{{Colour: chart.Go, Points: points(r.ServiceTimes)}, {Colour: chart.Run, Points: points(r.ResponseTimes)}},
	}
	return c.SVG()
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) + " %" }

func megabytes(bytes int64) string {
	return strconv.FormatFloat(float64(bytes)/1e6, 'f', 0, 64) + " MB"
}

// wholeOrPlain is a value of an axis.
func wholeOrPlain(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return grouped(int64(v))
	}
	return plainNumber(v)
}

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
