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
	case a >= 999.5:
		scale := math.Pow(10, math.Floor(math.Log10(a))-2)
		return thousands(strconv.FormatFloat(math.Round(v/scale)*scale, 'f', 0, 64))
	case a >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 9.995:
		return trimZeros(strconv.FormatFloat(v, 'f', 1, 64))
	case a >= 0.9995:
		return trimZeros(strconv.FormatFloat(v, 'f', 2, 64))
	case a >= 1e-7: // 'g' would write 4.71e-05
		return trimZeros(strconv.FormatFloat(v, 'f', 2-int(math.Floor(math.Log10(a))), 64))
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// about has two digits that count, or all before the point.
func about(v float64) string {
	switch a := math.Abs(v); {
	case a >= 99.5:
		return short(v)
	case a >= 9.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 0.995:
		return trimZeros(strconv.FormatFloat(v, 'f', 1, 64))
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

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
	switch a := math.Abs(v); {
	case a >= 9.95:
		return strconv.FormatFloat(v, 'f', 0, 64) + " %"
	case a >= 0.995:
		return trimZeros(strconv.FormatFloat(v, 'f', 1, 64)) + " %"
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + " %"
}

// tenths is a share to a tenth of a per cent.
func tenths(share float64) string {
	return trimZeros(strconv.FormatFloat(100*share, 'f', 1, 64)) + " %"
}

// seconds in the unit that suits them.
func seconds(v float64) string { return inUnit(v, short) }

// aboutSeconds is a time that is only known roughly.
func aboutSeconds(v float64) string { return inUnit(v, about) }

func inUnit(v float64, write func(float64) string) string {
	switch a := math.Abs(v); {
	case v == 0:
		return "0"
	case a < 0.9995e-3:
		return write(v*1e6) + " µs"
	case a < 0.9995:
		return write(v*1e3) + " ms"
	}
	return write(v) + " s"
}

// dollars shows cents where they matter.
func dollars(v float64) string {
	switch {
	case v >= 9.995:
		return "$" + thousands(strconv.FormatFloat(v, 'f', 0, 64))
	case v >= 0.0995:
		return "$" + strconv.FormatFloat(v, 'f', 2, 64)
	}
	return "$" + about(v)
}

// Count is a number with its noun.
func Count(n int, noun string) string {
	s := thousands(strconv.Itoa(n)) + " " + noun
	if n != 1 {
		s += "s"
	}
	return s
}
