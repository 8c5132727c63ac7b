package plan

import (
	"math"
	"strconv"
	"strings"
)

// short has three digits that count, and separates thousands.
func short(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a >= 99.95:
		return thousands(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
	case a >= 9.995:
		return trimZeros(strconv.FormatFloat(v, 'f', 1, 64))
	case a >= 0.9995:
		return trimZeros(strconv.FormatFloat(v, 'f', 2, 64))
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func trimZeros(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

func thousands(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

func perSecond(v float64) string { return short(v) + "/s" }

// percent of shares below a tenth shows a digit more.
func percent(share float64) string {
	v := 100 * share
	if math.Abs(v) >= 10 {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64) + " %"
	}
	return trimZeros(strconv.FormatFloat(v, 'f', 2, 64)) + " %"
}

// tenths is a share to a tenth of a per cent.
func tenths(share float64) string {
	return trimZeros(strconv.FormatFloat(100*share, 'f', 1, 64)) + " %"
}

// seconds in the unit that suits them.
func seconds(v float64) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a < 0.9995e-3:
		return short(v*1e6) + " µs"
	case a < 0.9995:
		return short(v*1e3) + " ms"
	}
	return short(v) + " s"
}

// dollars shows cents where they matter.
func dollars(v float64) string {
	if v >= 100 {
		return "$" + thousands(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
	}
	if v >= 0.1 {
		return "$" + strconv.FormatFloat(v, 'f', 2, 64)
	}
	return "$" + short(v)
}

// count is a number with its noun.
func count(n int, noun string) string {
	s := thousands(strconv.Itoa(n)) + " " + noun
	if n != 1 {
		s += "s"
	}
	return s
}
