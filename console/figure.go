package console

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/greenlight-dev/greenlight/observe"
)

// The figures as a person reads them, with their units. static/figure.js
// writes the same ones into the page while it is open; a test holds the two
// together.

// none stands where there is no figure.
const none = "–"

// rate is a number of requests a second.
func rate(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 0.05:
		return "<0.1"
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return grouped(v)
}

// share is a part of one as a percentage.
func share(v float64) string {
	percent := v * 100
	switch {
	case percent == 0:
		return "0 %"
	case percent < 0.005:
		return "<0.01 %"
	case percent < 0.995:
		return strconv.FormatFloat(percent, 'f', 2, 64) + " %"
	case percent < 9.95:
		return strconv.FormatFloat(percent, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(percent, 'f', 0, 64) + " %"
}

// seconds is a duration; 0 is none, for there was nothing to measure.
func seconds(v float64) string {
	switch {
	case v == 0:
		return none
	case v < 0.9995e-3:
		return strconv.FormatFloat(v*1e6, 'f', 0, 64) + " µs"
	case v < 9.95e-3:
		return strconv.FormatFloat(v*1e3, 'f', 1, 64) + " ms"
	case v < 0.9995:
		return strconv.FormatFloat(v*1e3, 'f', 0, 64) + " ms"
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64) + " s"
	}
	return grouped(v) + " s"
}

// latency is a percentile as the gateway knows it.
func latency(v float64) string {
	if v > 0 && v < observe.Finest {
		return "<" + seconds(observe.Finest)
	}
	return seconds(v)
}

// formatBytes writes a size in decimal units; 0 is none.
func formatBytes(v int64) string {
	f := float64(v)
	switch {
	case v == 0:
		return none
	case f < 999.5:
		return strconv.FormatInt(v, 10) + " B"
	case f < 999.5e3:
		return strconv.FormatFloat(f/1e3, 'f', 0, 64) + " kB"
	case f < 999.5e6:
		return strconv.FormatFloat(f/1e6, 'f', 0, 64) + " MB"
	}
	return strconv.FormatFloat(f/1e9, 'f', 1, 64) + " GB"
}

// cores is processor time a second.
func cores(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// whole is a mean number of things under way.
func whole(v float64) string { return grouped(math.Round(v)) }

// stopwatch is a time in whole seconds: 0:24, 12:05, 1:02:03.
func stopwatch(v float64) string {
	s := int64(v)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// grouped rounds to a whole number and sets commas at the thousands.
func grouped(v float64) string {
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// short is a release as it is shown: the first digits of its digest.
func short(digest string) string { return digest[:min(7, len(digest))] }

// clock is a moment as the machine's wall clock has it, with the day unless
// it is today; the page writes it anew in the reader's own time zone.
func clock(at, now time.Time) string {
	at, now = at.Local(), now.Local()
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("15:04:05")
	}
	return at.Format("2 Jan 15:04")
}

// since is how long ago at was, in its largest unit.
func since(at, now time.Time) string {
	d := now.Sub(at)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// sparkline is the points of a polyline, 96 wide and 22 high.
func sparkline(values []float64) string {
	if len(values) < 2 {
		return ""
	}
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	for i, v := range values {
		y := 20.5
		if top > 0 {
			y = 20.5 - 19*v/top
		}
		fmt.Fprintf(&b, "%.1f,%.1f ", 96*float64(i)/float64(len(values)-1), y)
	}
	return strings.TrimSuffix(b.String(), " ")
}
