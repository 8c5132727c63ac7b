package load

import (
	_ "embed"
	htmltemplate "html/template"
	"io"
	"math"
	"strconv"
)

//go:embed report.html
var reportPage string

// WriteHTML writes a report with charts as one file that needs no other.
func (r *Result) WriteHTML(out io.Writer) error {
	page, err := htmltemplate.New("report").Funcs(htmltemplate.FuncMap{"seconds": Seconds, "percent": percent, "value": Verdict.value, "megabytes": megabytes}).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(out, struct {
		*Result
		LagNote   string
		Times     []timesRow
		Latency   htmltemplate.HTML
		Arrivals  htmltemplate.HTML
		Spread    htmltemplate.HTML
		HasSeries bool
		Evidence  []ServerRow
		ServerCPU htmltemplate.HTML
	}{r, r.lagNote(), r.timesRows(), r.latencyChart(), r.rateChart(), r.spreadChart(), len(r.Seconds) > 1, r.evidence(), r.cpuChart()})
}

func (r *Result) evidence() []ServerRow {
	if r.Server == nil {
		return nil
	}
	return r.Server.Rows()
}

// cpuChart is what all replicas together used over the time of the test; ""
// where nobody saw it.
func (r *Result) cpuChart() htmltemplate.HTML {
	if r.Server == nil || len(r.Server.Seconds) < 2 {
		return ""
	}
	l := line{class: "rate"}
	for _, s := range r.Server.Seconds {
		l.points = append(l.points, [2]float64{s.At, s.CPU})
	}
	return r.secondsChart("Processor cores that the replicas used", plainNumber, l)
}

type timesRow struct {
	Name, Meaning string
	Summary
}

func (r *Result) timesRows() []timesRow {
	return []timesRow{
		{"response", "from when a request was due to its answer", r.Response},
		{"service", "from when it was sent to its answer", r.Service},
		{"lag", "what the generator added", r.Lag},
	}
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) + " %" }

func megabytes(bytes int64) string {
	return strconv.FormatFloat(float64(bytes)/1e6, 'f', 0, 64) + " MB"
}

func plainNumber(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// latencyChart is response times over the time of the test.
func (r *Result) latencyChart() htmltemplate.HTML {
	return r.secondsChart("Response time, p50 and p99 of every second", Seconds,
		line{class: "p99", points: r.series(func(s Second) float64 { return s.P99 })},
		line{class: "p50", points: r.series(func(s Second) float64 { return s.P50 })})
}

// rateChart is requests and errors over the time of the test.
func (r *Result) rateChart() htmltemplate.HTML {
	return r.secondsChart("Requests and errors, a second", plainNumber,
		line{class: "rate", points: r.series(func(s Second) float64 { return float64(s.Requests) / s.Length })},
		line{class: "errors", points: r.series(func(s Second) float64 { return float64(s.Errors) / s.Length })})
}

func (r *Result) secondsChart(label string, write func(float64) string, lines ...line) htmltemplate.HTML {
	c := chart{label: label, lines: lines, y: axis{write: write}, x: axis{write: func(v float64) string { return plainNumber(v) + " s" }}}
	return c.svg()
}

func (r *Result) series(value func(Second) float64) [][2]float64 {
	var points [][2]float64
	for _, s := range r.Seconds {
		if s.Length >= 0.5 { // the end of a test may fill too little of one
			points = append(points, [2]float64{s.At, value(s)})
		}
	}
	return points
}

// spreadChart is the distribution, with every nine as wide as the one
// before: the tail is what matters.
func (r *Result) spreadChart() htmltemplate.HTML {
	const most = 4.5 // nines
	nines := func(share float64) float64 { return min(-math.Log10(1-share), most) }
	points := func(h *Histogram) (points [][2]float64) {
		curve := h.Curve()
		for i, p := range curve {
			at := 0.0 // a value holds from the share before it on
			if i > 0 {
				at = nines(curve[i-1].Share)
			}
			points = append(points, [2]float64{at, p.Seconds}, [2]float64{nines(p.Share), p.Seconds})
		}
		return points
	}
	marks := []mark{{0, "p0"}, {nines(0.5), "p50"}}
	for n := 1; float64(n) < most; n++ {
		marks = append(marks, mark{float64(n), "p" + strconv.FormatFloat(100-math.Pow(10, 2-float64(n)), 'f', max(0, n-2), 64)})
	}
	c := chart{
		label: "Distribution of response and service times", marksX: marks, x: axis{most: most}, y: axis{write: Seconds},
		lines: []line{{class: "p99", points: points(r.ResponseTimes)}, {class: "service", points: points(r.ServiceTimes)}},
	}
	return c.svg()
}
