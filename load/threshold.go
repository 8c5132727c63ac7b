package load

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Threshold is what a result must meet: a percentile, min, max or mean of
// the response or service times, the share of errors, or the rate of right
// answers.
type Threshold struct {
	Text   string
	metric string // p99, max, errors, rate (of right answers)
	share  float64
	of     string // response or service
	less   bool   // the value has to be below the limit
	equal  bool   // or at it
	limit  float64
}

// ParseThreshold reads "p99<50ms", "service.p99.9<=20ms", "errors<0.1%" or
// "rate>=500/s", for which "goodput>=500/s" is another way to write it.
func ParseThreshold(text string) (Threshold, error) {
	t := Threshold{Text: strings.ReplaceAll(text, " ", ""), of: "response"}
	at := strings.IndexAny(t.Text, "<>")
	if at <= 0 {
		return t, badThreshold(text, "it has no < or >")
	}
	t.metric, t.less = t.Text[:at], t.Text[at] == '<'
	limit := t.Text[at+1:]
	limit, t.equal = strings.CutPrefix(limit, "=")
	if of, metric, dotted := strings.Cut(t.metric, "."); dotted && (of == "response" || of == "service") {
		t.of, t.metric = of, metric
	}
	if t.metric == "goodput" {
		t.metric, t.Text = "rate", strings.Replace(t.Text, "goodput", "rate", 1)
	}
	var err error
	switch {
	case t.metric == "errors":
		t.limit, err = parseShare(limit)
	case t.metric == "rate":
		t.limit, err = strconv.ParseFloat(strings.TrimSuffix(limit, "/s"), 64)
	case t.metric == "min" || t.metric == "max" || t.metric == "mean":
		t.limit, err = parseTime(limit)
	case strings.HasPrefix(t.metric, "p"):
		if t.share, err = parsePercentile(t.metric[1:]); err == nil {
			t.limit, err = parseTime(limit)
		}
	default:
		return t, badThreshold(text, fmt.Sprintf("there is no %q to compare; want p50 to p99.99, min, max, mean, errors or rate", clip(t.metric)))
	}
	if err != nil || math.IsNaN(t.limit) || t.limit < 0 {
		return t, badThreshold(text, fmt.Sprintf("%q is no limit for %s", clip(limit), clip(t.metric)))
	}
	return t, nil
}

func badThreshold(text, why string) error {
	return greenlight.Errorf(greenlight.CodeInvalid, "threshold %q: %s; examples: p99<50ms, errors<0.1%%, rate>=500/s", clip(text), why)
}

// parsePercentile reads 50, 99.9, and 999 and 9999 as results name them.
func parsePercentile(text string) (float64, error) {
	switch text {
	case "999":
		return 0.999, nil
	case "9999":
		return 0.9999, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && !(v > 0 && v < 100) {
		err = strconv.ErrRange
	}
	return v / 100, err
}

func parseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(number, 64)
	if percent {
		v /= 100
	}
	return v, err
}

func parseTime(text string) (float64, error) {
	d, err := time.ParseDuration(text)
	return d.Seconds(), err
}

// Verdict is a threshold held against a result.
type Verdict struct {
	Threshold string  `json:"threshold"`
	Value     float64 `json:"value"` // seconds, a share, or requests a second
	OK        bool    `json:"ok"`
	Why       string  `json:"why,omitempty"` // it is not met, where the value does not tell
}

// check holds the threshold against a result with its distributions.
func (t *Threshold) check(r *Result) Verdict {
	h, s := r.ResponseTimes, r.Response
	if t.of == "service" {
		h, s = r.ServiceTimes, r.Service
	}
	var v float64
	switch t.metric {
	case "errors":
		v = r.ErrorShare()
	case "rate":
		v = r.Goodput
	case "min":
		v = s.Min
	case "max":
		v = s.Max
	case "mean":
		v = s.Mean
	default:
		v = h.At(t.share)
	}
	why := t.unknown(r, h)
	return Verdict{Threshold: t.Text, Value: v, OK: why == "" && t.met(v), Why: why}
}

// unknown tells why there is no time that could be below a limit, "" when there
// is one: how fast wrong answers come says nothing.
func (t *Threshold) unknown(r *Result, h *Histogram) string {
	switch {
	case t.metric == "errors" || t.metric == "rate":
		return ""
	case h.Count() == 0:
		return "nothing was answered"
	case r.AllFailed():
		return "nothing was answered rightly"
	}
	return ""
}

func (t *Threshold) met(v float64) bool {
	switch {
	case t.equal && v == t.limit:
		return true
	case t.less:
		return v < t.limit
	}
	return v > t.limit
}

// hopeless tells whether the threshold cannot be met any more, whatever the
// requests that are left do: over is how many response times were not below
// the limit, errors how many requests failed, of all that are due.
func (t *Threshold) hopeless(over, errors, due int64) bool {
	if !t.less || due == 0 {
		return false
	}
	switch {
	case t.metric == "errors":
		return !t.met(float64(errors) / float64(due))
	case t.of != "response":
		return false
	case t.metric == "max":
		return over > 0
	case t.share > 0:
		return over > due-int64(math.Ceil(t.share*float64(due)-1e-6)) // 0.99 × 1000 is not quite 990
	}
	return false
}

// counts tells whether a response time counts against the threshold.
func (t *Threshold) counts(ns int64) bool {
	return t.less && t.of == "response" && (t.share > 0 || t.metric == "max") && !t.met(float64(ns)/1e9)
}
