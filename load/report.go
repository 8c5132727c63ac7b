package load

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Seconds writes a time with a unit that keeps it short: 0.85 ms.
func Seconds(s float64) string {
	switch {
	case s == 0:
		return "0"
	case s < 0.9995e-3:
		return fmt.Sprintf("%.0f µs", s*1e6)
	case s < 9.995e-3:
		return fmt.Sprintf("%.2f ms", s*1e3)
	case s < 99.95e-3:
		return fmt.Sprintf("%.1f ms", s*1e3)
	case s < 0.9995:
		return fmt.Sprintf("%.0f ms", s*1e3)
	}
	return fmt.Sprintf("%.2f s", s)
}

// roundSeconds is a round value of an axis: 5 ms, not 5.00 ms.
func roundSeconds(s float64) string {
	number, unit, _ := strings.Cut(Seconds(s), " ")
	if strings.Contains(number, ".") {
		number = strings.TrimSuffix(strings.TrimRight(number, "0"), ".")
	}
	return strings.TrimSpace(number + " " + unit)
}

// text is one of its times; a dash where there are none.
func (s *Summary) text(v float64) string {
	if s.Empty() {
		return "–"
	}
	return Seconds(v)
}

// WriteText prints the result for a person.
func (r *Result) WriteText(out io.Writer) error {
	fmt.Fprintln(out, r.headline())
	if r.Void {
		fmt.Fprintf(out, "VOID: %s\nThe figures below do not describe the target.\n", r.VoidReason)
	}
	if r.Stopped != "" {
		fmt.Fprintf(out, "stopped early: %s\n", r.Stopped)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tp50\tp90\tp95\tp99\tp99.9\tmax\tmean\t")
	for _, row := range []struct {
		name string
		s    Summary
	}{{"response", r.Response}, {"service", r.Service}, {"lag", r.Lag}} {
		fmt.Fprintf(w, "%s\t", row.name)
		for _, v := range []float64{row.s.P50, row.s.P90, row.s.P95, row.s.P99, row.s.P999, row.s.Max, row.s.Mean} {
			fmt.Fprintf(w, "%s\t", row.s.text(v))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, "response: due to answer; service: sent to answer; lag: what the generator added")
	if note := r.lagNote(); note != "" {
		fmt.Fprintln(out, note)
	}
	fmt.Fprintf(out, "\nstatus %s; %s; %s in, %s out\n", orNone(r.statusText()), counted(r.Connections, "connection"), bytesText(r.BytesIn), bytesText(r.BytesOut))
	if r.Errors > 0 {
		fmt.Fprintf(out, "errors: %s\n", r.errorText())
	}
	if err := r.writeRoutes(out); err != nil {
		return err
	}
	for _, note := range r.Notes {
		fmt.Fprintln(out, note)
	}
	if r.Server != nil {
		r.Server.writeText(out)
	}
	if r.Knee != nil {
		fmt.Fprintln(out, "\nthe rate of a search for the knee:")
		if err := r.Knee.WriteText(out); err != nil {
			return err
		}
	}
	if len(r.Verdicts) > 0 {
		fmt.Fprintln(out)
	}
	for _, v := range r.Verdicts {
		fmt.Fprintln(out, v)
	}
	return nil
}

// lagNote says when lag is much of what is reported, though too little in
// itself to spoil it.
func (r *Result) lagNote() string {
	if r.Void || r.Response.Empty() || r.Lag.P99 <= lagShare*r.Response.P99 {
		return ""
	}
	return fmt.Sprintf("up to %s of the response p99 is the generator's own lag; service times are free of it", Seconds(r.Lag.P99))
}

func (r *Result) headline() string {
	return fmt.Sprintf("%s: %s in %.1f s, %s answered%s, %s (%s)",
		r.Target, counted(r.Requests, "request"), r.Elapsed, PerSecond(r.Rate), r.asked(), counted(r.Errors, "error"), percent(r.ErrorShare()))
}

// asked is what the answers stand against.
func (r *Result) asked() string {
	switch {
	case r.Journeys != nil && r.Planned > 0:
		return fmt.Sprintf(", %s journeys ended of %s due", PerSecond(r.Journeys.Rate), PerSecond(r.Planned))
	case r.Planned > 0:
		return " of " + PerSecond(r.Planned) + " due"
	case r.Clients > 0:
		return " to " + counted(int64(r.Clients), "client")
	}
	return ""
}

// conclusion is the result in a sentence.
func (r *Result) conclusion() string {
	var missed []string
	for _, v := range r.Verdicts {
		if !v.OK {
			missed = append(missed, v.Threshold+" ("+v.shortfall()+")")
		}
	}
	if r.Void {
		return "Void: this shows the generator, not the target."
	}
	text := fmt.Sprintf("Half of the requests took up to %s, 99 of 100 up to %s", Seconds(r.Response.P50), Seconds(r.Response.P99))
	switch {
	case r.AllFailed():
		text = "None of the requests was answered rightly"
	case r.ErrorShare() >= manyErrors:
		text = percent(r.ErrorShare()) + " of the requests failed"
	case r.Errors > 0:
		text = fmt.Sprintf("%s of the requests failed; half took up to %s, 99 of 100 up to %s", percent(r.ErrorShare()), Seconds(r.Response.P50), Seconds(r.Response.P99))
	}
	switch {
	case len(missed) > 0:
		text = "Not met: " + strings.Join(missed, ", ") + ". " + text
	case r.Knee != nil:
		text = "Knee: " + r.Knee.String()
	case len(r.Verdicts) > 0:
		text = "All thresholds are met. " + text
	}
	return text + "."
}

// PerSecond is a rate as a person writes it: 28.5/s, 14,500/s.
func PerSecond(v float64) string {
	switch {
	case v < 99.95:
		return strconv.FormatFloat(v, 'g', 3, 64) + "/s"
	case v < 9999.5:
		return grouped(int64(math.Round(v))) + "/s"
	}
	return grouped(int64(math.Round(v/100))*100) + "/s"
}

// counted is a number with its noun.
func counted(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(n) + " " + noun
}

// grouped separates thousands.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func bytesText(n int64) string {
	switch v := float64(n); {
	case n < 1000:
		return counted(n, "byte")
	case n < 1_000_000:
		return fmt.Sprintf("%.3g kB", v/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.3g MB", v/1e6)
	default:
		return fmt.Sprintf("%.3g GB", v/1e9)
	}
}

func (r *Result) statusText() string {
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(r.Statuses)) {
		parts = append(parts, s+" × "+grouped(r.Statuses[s]))
	}
	return strings.Join(parts, ", ")
}

func (r *Result) errorText() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(r.ErrorKinds)) {
		parts = append(parts, k.words()+" × "+grouped(r.ErrorKinds[k]))
	}
	return strings.Join(parts, ", ")
}

// kindWords are the kinds of failure as a person reads them.
var kindWords = map[Kind]string{
	KindRefused: "connection refused", KindConnect: "no connection", KindTLS: "TLS failed", KindReset: "connection broken",
	KindClosed: "closed before the answer was whole", KindTimeout: "no answer in time", KindProtocol: "not HTTP",
	KindTooLarge: "answer too large", KindNotGRPC: "not gRPC, which the target may not speak",
	KindStatus: "wrong status", KindCheck: "wrong body", KindNotSent: "not sent, all connections were busy",
	KindUnfinished: "not answered when the test ended",
}

func (k Kind) words() string {
	if words, ok := kindWords[k]; ok {
		return words
	}
	return strings.ReplaceAll(string(k), "_", " ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// String says whether a threshold was met, and by which value.
func (v Verdict) String() string {
	if v.OK {
		return v.Threshold + " met: " + v.value()
	}
	return v.Threshold + " not met: " + v.value()
}

func (v Verdict) value() string {
	switch {
	case v.Why != "":
		return v.Why
	case strings.HasPrefix(v.Threshold, "errors"):
		return percent(v.Value)
	case strings.HasPrefix(v.Threshold, "knee"):
		return PerSecond(v.Value)
	case strings.HasPrefix(v.Threshold, "rate"):
		return fmt.Sprintf("%.1f/s", v.Value)
	}
	return Seconds(v.Value)
}

// shortfall is what stands behind a threshold that is not met.
func (v Verdict) shortfall() string {
	if v.Why != "" {
		return v.Why
	}
	return "it is " + v.value()
}

// WriteJUnit writes each threshold as a test case, and the test's validity
// as one.
func (r *Result) WriteJUnit(out io.Writer) error {
	type failure struct {
		Message string `xml:"message,attr"`
	}
	type testcase struct {
		Name      string   `xml:"name,attr"`
		Classname string   `xml:"classname,attr"`
		Time      float64  `xml:"time,attr"`
		Failure   *failure `xml:"failure,omitempty"`
		Error     *failure `xml:"error,omitempty"`
	}
	type testsuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Time     float64    `xml:"time,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	suite := testsuite{Name: "greenlight load", Tests: 1 + len(r.Verdicts), Time: r.Elapsed}
	valid := testcase{Name: "the generator measured rightly", Classname: r.Target, Time: r.Elapsed}
	if r.Void {
		valid.Error, suite.Errors = &failure{r.VoidReason}, 1
	}
	suite.Cases = append(suite.Cases, valid)
	for _, v := range r.Verdicts {
		c := testcase{Name: v.Threshold, Classname: r.Target}
		if !v.OK {
			c.Failure = &failure{v.String()}
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(out)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

// WritePrometheus writes the figures in Prometheus' text format, for a file
// that a node exporter or a push gateway takes.
func (r *Result) WritePrometheus(out io.Writer) error {
	var b strings.Builder
	target := strconv.Quote(r.Target)
	metric := func(name, kind, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	one := func(name, help string, v float64) {
		metric(name, "gauge", help)
		fmt.Fprintf(&b, "%s{target=%s} %v\n", name, target, v)
	}
	one("greenlight_load_requests", "Requests that were due.", float64(r.Requests))
	one("greenlight_load_errors", "Requests that failed.", float64(r.Errors))
	one("greenlight_load_rate", "Whole answers a second, of any status.", r.Rate)
	one("greenlight_load_goodput", "Right answers a second.", r.Goodput)
	one("greenlight_load_void", "1 when the generator spoiled the test.", boolValue(r.Void))
	metric("greenlight_load_statuses", "gauge", "Answers by status.")
	for _, s := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(&b, "greenlight_load_statuses{target=%s,status=%q} %d\n", target, s, r.Statuses[s])
	}
	metric("greenlight_load_error_kinds", "gauge", "Failed requests by kind.")
	for _, k := range slices.Sorted(maps.Keys(r.ErrorKinds)) {
		fmt.Fprintf(&b, "greenlight_load_error_kinds{target=%s,kind=%q} %d\n", target, k, r.ErrorKinds[k])
	}
	metric("greenlight_load_route_requests", "gauge", "Requests by name and status.")
	for i := range r.Routes {
		fmt.Fprintf(&b, "greenlight_load_route_requests{target=%s,request=%s,status=%q} %d\n", target, strconv.Quote(r.Routes[i].Name), r.Routes[i].status(), r.Routes[i].Requests)
	}
	for _, d := range []struct {
		name, help string
		h          *Histogram
	}{
		{"response", "From when a request was due to its answer.", r.ResponseTimes},
		{"service", "From when a request was sent to its answer.", r.ServiceTimes},
		{"lag", "What the generator added.", r.LagTimes},
	} {
		name := "greenlight_load_" + d.name + "_seconds"
		metric(name, "summary", d.help)
		for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999, 0.9999} {
			fmt.Fprintf(&b, "%s{target=%s,quantile=\"%v\"} %v\n", name, target, q, d.h.At(q))
		}
		fmt.Fprintf(&b, "%s_sum{target=%s} %v\n%s_count{target=%s} %d\n", name, target, d.h.sum/1e9, name, target, d.h.Count())
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
