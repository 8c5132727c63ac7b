package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

func TestLoadVerdict(t *testing.T) {
	unmet := []load.Verdict{{Threshold: "p99<1s"}}
	for name, c := range map[string]struct {
		result load.Result
		code   greenlight.Code
		want   string
	}{
		"every request failed": {load.Result{Requests: 3, Errors: 3}, greenlight.CodeUnavailable, "every request failed (3 of 3)"},
		"and a threshold":      {load.Result{Requests: 3, Errors: 3, Verdicts: unmet}, greenlight.CodeRefused, "not met: p99<1s"},
		"one was answered":     {load.Result{Requests: 3, Errors: 2}, "", ""},
		"none was sent":        {load.Result{}, "", ""},
	} {
		err := loadVerdict(context.Background(), &c.result)
		if c.want == "" && err != nil || c.want != "" && (err == nil || greenlight.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestLoadFlagsThatDoNotFit(t *testing.T) {
	for want, o := range map[string]loadOptions{
		"--rate is -5; it must be above 0":     {rate: -5},
		"--clients is -1; from 1 to 20000":     {clients: -1},
		"--connections is -1; from 1 to 20000": {rate: 5, connections: -1},
		"--duration is -5s":                    {rate: 5, duration: -5 * time.Second},
		"--timeout is -1s; it must be above 0": {rate: 5, timeout: -time.Second},
		"--expect-status is 9999":              {rate: 5, status: 9999},
		"--steps is 0":                         {rate: 5, shape: "steps"},
		"--think is for --clients":             {rate: 5, think: 1},
		"--from is for --shape ramp":           {rate: 5, from: 1, shape: "constant"},
		"--speed is for --replay":              {rate: 5, speed: 2},
	} {
		o.maxRate, o.connections, o.timeout = 10, cmp.Or(o.connections, 1), cmp.Or(o.timeout, time.Second)
		var wrong *usageError
		if err := o.checkCeilings(); !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	for _, fits := range []loadOptions{
		{clients: 5, think: 1, maxRate: 10}, {rate: 5, from: 1, shape: "ramp", maxRate: 10},
		{log: "access.log", speed: 2, maxRate: 10}, {rate: 5, speed: 1, shape: "constant", maxRate: 10},
	} {
		fits.connections, fits.timeout, fits.maxDuration = 1, time.Second, time.Second
		if err := fits.checkCeilings(); err != nil {
			t.Error(err)
		}
	}
}

func TestChangeText(t *testing.T) {
	for change, want := range map[float64]string{0.051: "+5.1 %", -0.5: "-50.0 %", 10: "+1000.0 %", 1412.692: "x 1414"} {
		if got := changeText(change); got != want {
			t.Errorf("%v is %q, want %q", change, got, want)
		}
	}
}

func TestMissingResult(t *testing.T) {
	here := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(here, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"nofile.json", "./nofile", "results/nofile.json", here + "x"} {
		if err := missingResult([]string{here, arg}); err == nil || !strings.HasPrefix(err.Error(), arg+" is a file that does not exist") {
			t.Errorf("%s: %v", arg, err)
		}
	}
	for _, arg := range []string{here, "127.0.0.1:8080/", "http://127.0.0.1:8080/a.json", "127.0.0.1:8080/a.json", "web", "dev/web"} {
		if err := missingResult([]string{arg}); err != nil {
			t.Errorf("%s: %v", arg, err)
		}
	}
}
