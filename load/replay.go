package load

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"
)

// commonLog finds the time of the common and combined log formats.
var commonLog = regexp.MustCompile(`\[(\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4})\]`)

// ReadTimes reads when requests came from an access log, as ReadAccessLog does.
// They are relative to some common moment, and in the order of the lines.
func ReadTimes(in io.Reader) ([]time.Duration, error) {
	l, err := ReadAccessLog(in, "")
	if err != nil {
		return nil, err
	}
	return l.Times(), nil
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
func spread(entries []logEntry) {
	for from := 0; from < len(entries); {
		to := from
		for to < len(entries) && entries[to].at == entries[from].at {
			to++
		}
		for i := from; i < to; i++ {
			entries[i].at += time.Second * time.Duration(i-from) / time.Duration(to-from)
		}
		from = to
	}
}
