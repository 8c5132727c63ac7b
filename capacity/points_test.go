package capacity_test

import (
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/capacity"
)

func TestReadPoints(t *testing.T) {
	points, err := capacity.ReadPoints(strings.NewReader("\ufeffhost, X ,n\r\n# one replica\r\na,10.5,1\r\n\r\nb,2e1,2\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []capacity.Point{{N: 1, X: 10.5}, {N: 2, X: 20}}
	if len(points) != 2 || points[0] != want[0] || points[1] != want[1] {
		t.Errorf("got %v, want %v", points, want)
	}
}

func TestReadPointsNamesThePlace(t *testing.T) {
	for given, want := range map[string]string{
		"":                          "no header",
		"n\n1\n":                    `line 1: the header lacks column "x"`,
		"n,x,n\n":                   `line 1: the header has column "n" twice`,
		"n,x\n1,10\n2,many\n":       `line 3, column 3: x: "many" is not a number`,
		"n,x\n1,10\n,20\n":          "line 3, column 1: n: it is empty",
		"n,x\n1,10\n\n# c\n2,3,4\n": "line 5 has 3 fields, the header 2",
		"n,x\n0,10\n":               "line 2: n is 0; it must be above 0",
		"n,x\n1,NaN\n":              "line 2: x is NaN",
		"n,x\n1,\"10\n":             "line 2, column",
		"n,x\n1,1" + strings.Repeat("z", 500) + "\n": "…\" is not a number",
	} {
		_, err := capacity.ReadPoints(strings.NewReader(given))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", given, err, want)
		}
	}
	if _, err := capacity.ReadPoints(strings.NewReader("n,x\n" + strings.Repeat("1,2\n", capacity.MaxPoints+1))); err == nil {
		t.Error("too many points are taken")
	}
	if _, err := capacity.ReadPoints(strings.NewReader("n,x\n1,2\n#" + strings.Repeat("c", capacity.MaxFileBytes))); err == nil {
		t.Error("a file over the bound is taken")
	}
}

// FuzzReadPoints: whatever is read is fitted or refused, without a panic.
func FuzzReadPoints(f *testing.F) {
	f.Add("n,x\n1,10\n2,19\n4,35\n8,60\n")
	f.Add("x,n\n1e12,1e-12\n0,2\n5,3\n1,1e12\n")
	f.Add("n,x\n\"1\",\"2\n")
	f.Fuzz(func(t *testing.T, given string) {
		points, err := capacity.ReadPoints(strings.NewReader(given))
		if err != nil || len(points) > 50 {
			return
		}
		fit, err := capacity.FitLaw(points)
		if err != nil {
			return
		}
		if !(fit.Alpha >= 0 && fit.Alpha <= 1 && fit.Beta >= 0 && fit.Beta <= 1 && fit.Gamma >= 0) {
			t.Errorf("%q is fitted outside the bounds: %+v", given, fit.Law)
		}
	})
}
