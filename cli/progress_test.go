package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestProgressRewritesItsLineOnATerminal(t *testing.T) {
	var screen bytes.Buffer
	p := newProgress(&screen, "always", 1000)
	p.terminal = true
	p.add(10, 0, 250)
	p.next = time.Time{}
	p.add(10, 1, 500)
	p.finish(nil)
	parts := strings.Split(screen.String(), "\r\x1b[K")
	if len(parts) != 4 || !strings.HasPrefix(parts[1], "10 rows, ") || !strings.Contains(parts[1], "25 %") ||
		!strings.HasPrefix(parts[2], "20 rows, ") || !strings.Contains(parts[2], "1 rejected, 50 %") ||
		!strings.HasPrefix(parts[3], "20 rows in ") || strings.Count(screen.String(), "\n") != 1 {
		t.Errorf("%q", screen.String())
	}
}

// A line that wraps could not be rewritten.
func TestProgressFitsATerminal(t *testing.T) {
	p := newProgress(nil, "never", 1<<50)
	p.rows, p.rejected, p.consumed = 1e11, 1e11, 1<<49
	if line := p.line(p.start.Add(1000 * time.Hour)); len(line) >= 80 || !strings.HasSuffix(line, ", 50 %, 1000h0m0s left") {
		t.Errorf("%d columns: %s", len(line), line)
	}
}

func TestProgressKeepsQuiet(t *testing.T) {
	for _, c := range []struct {
		mode     string
		rejected int
		err      error
	}{
		{"auto", 0, nil}, // the run is short
		{"never", 1, nil},
		{"auto", 1, errors.New("failed")}, // the error says enough
	} {
		var screen bytes.Buffer
		p := newProgress(&screen, c.mode, 0)
		p.add(10, c.rejected, 100)
		p.finish(c.err)
		if screen.Len() > 0 {
			t.Errorf("%+v: %q", c, screen.String())
		}
	}
}

func TestRateText(t *testing.T) {
	for rate, want := range map[float64]string{0: "0", 12.4: "12", 9999: "9999", 12345: "12 k", 999_000: "999 k", 2_340_000: "2.3 M"} {
		if got := rateText(rate); got != want {
			t.Errorf("%v is written %s, want %s", rate, got, want)
		}
	}
}
