package load

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// commonLog finds the time of the common and combined log formats.
var commonLog = regexp.MustCompile(`\[(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\]`)

// ReadTimes reads when requests came from an access log, one a line: JSON
// with "time" as the gateway writes it, the common or combined log format of
// web servers, or a time alone (RFC 3339, or seconds). Times of whole
// seconds are spread over their second. They are relative to some common
// moment, and in the order of the lines.
func ReadTimes(in io.Reader) ([]time.Duration, error) {
	var times []time.Duration
	var origin time.Time
	whole := true
	err := eachLine(in, func(line []byte) error {
		at, fraction, err := lineTime(line)
		if err != nil {
			return err
		}
		if origin.IsZero() {
			origin = at
		}
		whole = whole && !fraction
		if times = append(times, at.Sub(origin)); len(times) > MaxRecorded {
			return fmt.Errorf("more than %d requests", MaxRecorded)
		}
		return nil
	})
	if err == nil && len(times) == 0 {
		err = greenlight.Errorf(greenlight.CodeInvalid, "it holds no requests")
	}
	if whole {
		spread(times)
	}
	return times, err
}

// lineTime is the time of one line, and whether it is finer than a second.
func lineTime(line []byte) (at time.Time, fraction bool, err error) {
	text := string(line)
	switch {
	case line[0] == '{':
		var entry struct {
			Time time.Time `json:"time"`
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			return at, false, err
		}
		if entry.Time.IsZero() {
			return at, false, fmt.Errorf(`it has no "time"`)
		}
		return entry.Time, true, nil
	case commonLog.Match(line):
		at, err = time.Parse("02/Jan/2006:15:04:05 -0700", string(commonLog.FindSubmatch(line)[1]))
		return at, false, err
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil && v >= 0 && v < 1e10 {
		return time.Unix(0, 0).Add(time.Duration(v * 1e9)), true, nil
	}
	if at, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return at, false, fmt.Errorf("%q holds no time; want a line of an access log, RFC 3339, or seconds", clip(text))
	}
	return at, true, nil
}

// spread moves the times of each second apart, evenly.
func spread(times []time.Duration) {
	for from := 0; from < len(times); {
		to := from
		for to < len(times) && times[to] == times[from] {
			to++
		}
		for i := from; i < to; i++ {
			times[i] += time.Second * time.Duration(i-from) / time.Duration(to-from)
		}
		from = to
	}
}
