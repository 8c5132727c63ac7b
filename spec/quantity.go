package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// quantityError is why a text is no quantity.
type quantityError struct {
	want  string
	meant string // "": no idea
}

func (e *quantityError) Error() string { return "want " + e.want + e.hint() }

func (e *quantityError) hint() string {
	if e.meant == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", e.meant)
}

// Duration is a time span, written "30s" or "1h30m".
type Duration time.Duration

// Std is the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the shortest form: 90s is 1m30s, 60s is 1m.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes the form that the file has.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a number with a unit; several may follow each other.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	switch {
	case err == nil && v < 0:
		return &quantityError{want: "a time that is not negative"}
	case err == nil && strings.ContainsAny(string(text), "smh"):
		*d = Duration(v)
		return nil
	}
	meant := ""
	if number(string(text)) {
		meant = shorten(string(text)) + "s"
	}
	return &quantityError{"a time with a unit (ms, s, m, h), as 30s", meant}
}

func (*Duration) grammar() grammar {
	return grammar{pattern: `^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+$`, example: "30s"}
}

// units of Bytes, largest first within each system, the binary one first.
var byteUnits = []struct {
	suffix string
	size   int64
}{
	{"Ti", 1 << 40}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10},
	{"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"k", 1e3},
}

// Bytes is a size, written "512Mi" (binary) or "512M" (decimal).
type Bytes int64

// String is the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && int64(b)%u.size == 0 {
			return strconv.FormatInt(int64(b)/u.size, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText writes the form that the file has.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads a number with Ki, Mi, Gi, Ti, k, M, G, T or nothing.
func (b *Bytes) UnmarshalText(text []byte) error {
	digits, factor := string(text), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, factor = rest, u.size
			break
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if !number(digits) || err != nil || v*float64(factor) >= math.MaxInt64 {
		return &quantityError{"a size, as 512Mi or 2Gi", meantSize(string(text))}
	}
	*b = Bytes(v * float64(factor))
	return nil
}

// meantSize offers the right form of 512MB, 512mb and 512 MiB.
func meantSize(text string) string {
	s := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	s = strings.TrimSuffix(strings.TrimSuffix(s, "b"), "i")
	if s == "" || !number(s[:len(s)-1]) {
		return ""
	}
	unit := map[byte]string{'k': "Ki", 'm': "Mi", 'g': "Gi", 't': "Ti"}[s[len(s)-1]]
	if unit == "" {
		return ""
	}
	return shorten(s[:len(s)-1]) + unit
}

func (*Bytes) grammar() grammar {
	return grammar{pattern: `^[0-9]+(\.[0-9]+)?([KMGT]i|[kMGT])?$`, numbers: true, example: "512Mi"}
}

// MilliCPU is a share of processor cores in thousandths, written "500m" or 0.5.
type MilliCPU int64

// String is whole cores, or thousandths.
func (c MilliCPU) String() string {
	if c%1000 == 0 {
		return strconv.FormatInt(int64(c)/1000, 10)
	}
	return strconv.FormatInt(int64(c), 10) + "m"
}

// MarshalText writes the form that the file has.
func (c MilliCPU) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads cores, or thousandths with m.
func (c *MilliCPU) UnmarshalText(text []byte) error {
	digits, milli := strings.CutSuffix(string(text), "m")
	v, err := strconv.ParseFloat(digits, 64)
	if !number(digits) || err != nil || v > 1e9 {
		return &quantityError{want: "processor cores, as 2, 0.5 or 500m"}
	}
	if !milli {
		v *= 1000
	}
	*c = MilliCPU(math.Round(v))
	return nil
}

func (*MilliCPU) grammar() grammar {
	return grammar{pattern: `^[0-9]+(\.[0-9]+)?m?$`, numbers: true, example: "500m"}
}

// Rate is a number per second, written "100/s", "600/m" or "1000/h".
type Rate float64

// String is the rate per second.
func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'g', -1, 64) + "/s" }

// MarshalText writes the form that the file has.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a number per s, m or h; it must be above 0.
func (r *Rate) UnmarshalText(text []byte) error {
	digits, per, found := strings.Cut(string(text), "/")
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[per]
	v, err := strconv.ParseFloat(digits, 64)
	if !found || seconds == 0 || !decimal(digits) || err != nil || v <= 0 || v > 1e9 {
		meant := ""
		if number(string(text)) {
			meant = shorten(string(text)) + "/s"
		}
		return &quantityError{"a number per time, as 100/s or 600/m", meant}
	}
	*r = Rate(v / seconds)
	return nil
}

func (*Rate) grammar() grammar {
	return grammar{pattern: `^[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/[smh]$`, example: "100/s"}
}

// Percent is a share in hundredths, written "70%".
type Percent int

// String is the form that the file has.
func (p Percent) String() string { return strconv.Itoa(int(p)) + "%" }

// MarshalText writes the form that the file has.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a whole number followed by %.
func (p *Percent) UnmarshalText(text []byte) error {
	digits, found := strings.CutSuffix(string(text), "%")
	v, err := strconv.Atoi(digits)
	if !found || err != nil || v < 0 {
		return &quantityError{want: "a share, as 70%"}
	}
	*p = Percent(v)
	return nil
}

func (*Percent) grammar() grammar { return grammar{pattern: `^[0-9]+%$`, example: "70%"} }

// number tells whether s is digits with at most one point within.
func number(s string) bool {
	if s == "" || len(s) > 24 || s[0] == '.' || s[len(s)-1] == '.' {
		return false
	}
	return strings.Trim(s, "0123456789.") == "" && strings.Count(s, ".") <= 1
}

// decimal is number with an exponent allowed, as Rate writes small ones.
func decimal(s string) bool {
	mantissa, exponent, found := strings.Cut(s, "e")
	return number(mantissa) && (!found || number(strings.TrimLeft(exponent, "+-")))
}
