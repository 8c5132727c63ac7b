package observe

import (
	"bytes"
	"strconv"
)

// eachSeries calls visit for every line of a text in Prometheus's exposition
// format that is a sample: name and series point into text, where series is
// the name with its labels as written, which is the same in every scrape of
// a process. Lines that are no sample are passed over.
//
// The format's own parser makes objects of every family, series and label: it
// takes more than thirty times as long (see BenchmarkScan), 12 ms each second
// for 200 services.
func eachSeries(text []byte, visit func(name, series, value []byte)) {
	for len(text) > 0 {
		line := text
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			line, text = text[:end], text[end+1:]
		} else {
			text = nil
		}
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		nameEnd := 0
		for nameEnd < len(line) && line[nameEnd] != '{' && line[nameEnd] != ' ' {
			nameEnd++
		}
		if nameEnd == 0 || nameEnd == len(line) {
			continue
		}
		seriesEnd := nameEnd
		if line[nameEnd] == '{' { // neither value nor timestamp has a brace
			seriesEnd = bytes.LastIndexByte(line, '}') + 1
		}
		if seriesEnd >= len(line) || seriesEnd < nameEnd || line[seriesEnd] != ' ' {
			continue
		}
		value := line[seriesEnd+1:]
		if timestamp := bytes.IndexByte(value, ' '); timestamp >= 0 {
			value = value[:timestamp]
		}
		visit(line[:nameEnd], line[:seriesEnd], value)
	}
}

// number reads a value; false for one that cannot be counted with.
func number(value []byte) (float64, bool) {
	if n, ok := wholeNumber(value); ok {
		return n, true
	}
	v, err := strconv.ParseFloat(string(value), 64)
	return v, err == nil && v >= 0 && v <= maxNumber
}

// maxNumber is what still can be subtracted from without a loss.
const maxNumber = 1 << 53

// wholeNumber reads what most values are.
func wholeNumber(value []byte) (float64, bool) {
	if len(value) == 0 || len(value) > 15 {
		return 0, false
	}
	var n int64
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return float64(n), true
}

// eachLabel calls visit for every label of a series as eachSeries gives it.
// What is not well formed ends it.
func eachLabel(series []byte, visit func(name, value string)) {
	open := bytes.IndexByte(series, '{')
	if open < 0 {
		return
	}
	rest := series[open+1 : len(series)-1]
	for {
		name, after, ok := bytes.Cut(rest, []byte(`="`))
		if !ok {
			return
		}
		value, end, ok := unquote(after)
		if !ok {
			return
		}
		visit(string(name), value)
		rest, ok = bytes.CutPrefix(after[end:], []byte(","))
		if !ok {
			return
		}
	}
}

// unquote reads up to the closing quote and gives the text and what follows.
func unquote(s []byte) (text string, end int, ok bool) {
	var plain []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return string(plain), i + 1, true
		case s[i] == '\\' && i+1 < len(s):
			i++
			if s[i] == 'n' {
				plain = append(plain, '\n')
				continue
			}
		}
		plain = append(plain, s[i])
	}
	return "", 0, false
}
