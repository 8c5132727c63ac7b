package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

func scanner(text string) *Scanner {
	s := &Scanner{}
	s.Reset([]byte(text))
	return s
}

func TestFloatAgreesWithStrconv(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "1", "-1.5", "39.1", "0.1", "1e22", "1e23", "1e-22", "1e-23", "123456789012345678",
		"9007199254740993", "1.7976931348623157e308", "5e-324", "2.2250738585072011e-308", "1e-400",
		"0.000000000000000000000000000001", "12345678901234567890123", "3.14159265358979323846264338327950288",
		"1E+2", "0." + strings.Repeat("0", 9999) + "1e10000", "0." + strings.Repeat("0", 12345) + "12e-100000", "1" + strings.Repeat("0", 10000) + "e-100000", "0." + strings.Repeat("0", 9999) + "1e100000", "18446744073709551616", "0.30000000000000004", "100000000000000000000",
	} {
		want, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		got, err := scanner(text).Float()
		if err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestNumbersThatAreNot(t *testing.T) {
	for _, text := range []string{"", "-", "01", "+1", ".5", "1.", "1e", "1e+", "NaN", "Infinity", "1e999", "0x10", "-a"} {
		s := scanner(text)
		_, err := s.Float()
		if err == nil {
			err = s.End()
		}
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, want a SyntaxError", text, err)
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	if v, err := scanner("-9223372036854775808").Int(); err != nil || v != math.MinInt64 {
		t.Errorf("got %v, %v", v, err)
	}
	if v, err := scanner("18446744073709551615").Uint(); err != nil || v != math.MaxUint64 {
		t.Errorf("got %v, %v", v, err)
	}
	for _, text := range []string{"1.0", "1e3", "9223372036854775808", "1.5"} {
		if _, err := scanner(text).Int(); err == nil || !strings.Contains(err.Error(), "whole number") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestTextEscapes(t *testing.T) {
	for _, text := range []string{
		`"plain"`, `""`, `"a\"b\\c\/d\b\f\n\r\t"`, `"caf\u00e9"`, `"\ud83d\ude00"`, `"\ud83dx"`, `"\ude00"`, `"héllo"`, "\"\xff\"", `"\u0000"`,
	} {
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		got, err := scanner(text).Text()
		if err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestAcceptKey(t *testing.T) {
	for text, want := range map[string]bool{
		`"a b":1`: true, ` "a b" : 1`: true, `"a c":1`: false, `"a b"`: false, `"a b",1`: false, `"a b`: false, ``: false, `"a bc":1`: false, `"a\u0020b":1`: false,
	} {
		s := scanner(text)
		if got := s.AcceptKey(`"a b"`); got != want {
			t.Errorf("%s: got %v", text, got)
		}
		if key, err := s.Key(); !want && err == nil && string(key) == "" {
			t.Errorf("%s: a key that was not accepted is gone", text)
		}
		if _, err := s.Float(); want && err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestErrorsSayWhere(t *testing.T) {
	err := scanner(`[1, 2, x]`).Skip()
	if want := `JSON at byte 7: expected a JSON value, got 'x'`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	if err := scanner(deep).Skip(); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("got %v", err)
	}
}

func TestScannerDoesNotAllocate(t *testing.T) {
	body := []byte(`{"rows":[{"a":39.1,"b":"caf\u00e9","c":[1,2.5e3,null,true]}]}`)
	s := &Scanner{}
	if n := testing.AllocsPerRun(100, func() {
		s.Reset(body)
		if err := s.Skip(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a text", n)
	}
}

// FuzzScan holds the scanner to encoding/json: the same texts are accepted,
// and floats and strings come out the same.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"rows":[[1,2],[3,null]]}`, `[]`, `{}`, ` "a\u12ab" `, `-0.5e-7`, `[1,]`, `{"a":1,}`, `{"a" 1}`, "nul", `tru`, `"\ud800"`, "[1 2]", "\x00", `1 2`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Scanner{}
		s.Reset(data)
		err := s.Skip()
		if err == nil {
			err = s.End()
		}
		if valid := json.Valid(data); valid != (err == nil) && !tooDeep(err) {
			t.Fatalf("encoding/json says valid=%v, the scanner %v", valid, err)
		}
		if err == nil {
			checkScalar(t, data)
		}
	})
}

func tooDeep(err error) bool { return err != nil && strings.Contains(err.Error(), "nested") }

func checkScalar(t *testing.T, data []byte) {
	s := &Scanner{}
	s.Reset(data)
	var number float64
	if json.Unmarshal(data, &number) == nil && !bytes.Contains(data, []byte("null")) {
		if got, err := s.Float(); err != nil || math.Float64bits(got) != math.Float64bits(number) {
			t.Fatalf("got %v, %v; want %v", got, err, number)
		}
	}
	var text string
	if s.Peek() == '"' && json.Unmarshal(data, &text) == nil {
		if got, err := s.Text(); err != nil || string(got) != text {
			t.Fatalf("got %q, %v; want %q", got, err, text)
		}
	}
}
