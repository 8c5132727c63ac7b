package demand

import (
	"encoding/csv"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Bounds of a series.
const (
	MaxSamples   = 1_000_000
	MaxFileBytes = 64 << 20
)

// Sample is how many requests a second came at a moment, or on average from
// then to the next sample.
type Sample struct {
	At   time.Time
	Rate float64
	Peak float64 // the highest rate in that time; 0 where it is not known
}

// ReadSeries reads samples from CSV: a header that names the columns time and
// rate, and peak where there is one, in any order and among others, then one
// sample a line, rising in time. A time is RFC 3339, a date (2026-01-31), a month (2026-01) or seconds
// since 1970; without a zone it is of UTC. Lines that begin with # are
// comments. What is wrong is an error that names line and column.
func ReadSeries(in io.Reader) ([]Sample, error) {
	limited := &io.LimitedReader{R: in, N: MaxFileBytes + 1}
	r := csv.NewReader(limited)
	r.Comment = '#'
	r.FieldsPerRecord = -1 // counted here, to say which line
	r.TrimLeadingSpace = true
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, csvError(err, "no header; the first line names the columns: time,rate")
	}
	c, err := findColumns(header)
	if err != nil {
		return nil, err
	}
	var samples []Sample
	for {
		fields, err := r.Read()
		if limited.N == 0 {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "the file has more than %d bytes", MaxFileBytes)
		}
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, csvError(err, "")
		}
		s, err := c.read(r, fields)
		if err == nil {
			err = follows(r, samples, s)
		}
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
}

// follows tells whether a sample may come after those before it.
func follows(r *csv.Reader, before []Sample, s Sample) error {
	line, _ := r.FieldPos(0)
	switch {
	case len(before) == MaxSamples:
		return greenlight.Errorf(greenlight.CodeInvalid, "line %d: more than %d samples", line, MaxSamples)
	case len(before) > 0 && !s.At.After(before[len(before)-1].At):
		return greenlight.Errorf(greenlight.CodeInvalid, "line %d: %s is not after the line before, %s; sort the file by time", line, s.At.Format(time.RFC3339), before[len(before)-1].At.Format(time.RFC3339))
	}
	return nil
}

// columns is where a file has what.
type columns struct{ time, rate, peak, width int }

func findColumns(header []string) (columns, error) {
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))
	}
	c := columns{slices.Index(names, "time"), slices.Index(names, "rate"), slices.Index(names, "peak"), len(header)}
	for name, at := range map[string]int{"time": c.time, "rate": c.rate, "peak": c.peak} {
		if at >= 0 && slices.Contains(names[at+1:], name) {
			return c, greenlight.Errorf(greenlight.CodeInvalid, "line 1: the header has column %q twice", name)
		}
	}
	if c.time < 0 || c.rate < 0 {
		return c, greenlight.Errorf(greenlight.CodeInvalid, "line 1: the header lacks a column; it names time and rate (requests a second)")
	}
	return c, nil
}

func (c columns) read(r *csv.Reader, fields []string) (Sample, error) {
	line, _ := r.FieldPos(0)
	if len(fields) != c.width {
		return Sample{}, greenlight.Errorf(greenlight.CodeInvalid, "line %d has %d fields, the header %d", line, len(fields), c.width)
	}
	wrong := func(at int, want string) error {
		line, column := r.FieldPos(at)
		return greenlight.Errorf(greenlight.CodeInvalid, "line %d, column %d: %q is not %s", line, column, clip(fields[at]), want)
	}
	at, ok := parseTime(strings.TrimSpace(fields[c.time]))
	if !ok {
		return Sample{}, wrong(c.time, "a time; write 2026-01-31T15:04:05Z, 2026-01-31, 2026-01 or seconds since 1970")
	}
	sample := Sample{At: at}
	if sample.Rate, ok = parseRate(fields[c.rate]); !ok {
		return Sample{}, wrong(c.rate, "a rate: requests a second, from 0 to "+trim(mostRate))
	}
	if c.peak >= 0 && strings.TrimSpace(fields[c.peak]) != "" {
		if sample.Peak, ok = parseRate(fields[c.peak]); !ok {
			return Sample{}, wrong(c.peak, "the rate of a peak: requests a second, from 0 to "+trim(mostRate))
		}
	}
	return sample, nil
}

func parseRate(text string) (float64, bool) {
	rate, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return rate, err == nil && rate >= 0 && rate <= mostRate
}

// parseTime reads a moment from 1970 to 9000.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02", "2006-01"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), t.Year() >= 1970 && t.Year() <= 9000
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= 0 && seconds < 2e11) {
		return time.Time{}, false
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func csvError(err error, empty string) error {
	var broken *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return greenlight.Errorf(greenlight.CodeInvalid, "%s", empty)
	case errors.As(err, &broken):
		return greenlight.Errorf(greenlight.CodeInvalid, "line %d, column %d: %w", broken.Line, broken.Column, broken.Err)
	}
	return greenlight.WithCode(greenlight.CodeInvalid, err)
}
