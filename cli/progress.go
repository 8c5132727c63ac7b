package cli

import (
	"fmt"
	"io"
	"time"
)

// progress reports on standard error how far a long run is: one line that
// rewrites itself on a terminal, a plain line now and then elsewhere. It
// keeps quiet for the first two seconds.
type progress struct {
	w        io.Writer
	size     int64 // bytes of input, 0 when not known
	terminal bool
	off      bool
	start    time.Time
	next     time.Time
	rows     int
	rejected int
	consumed int64
	shown    bool
}

const (
	progressAfter    = 2 * time.Second
	progressTerminal = 200 * time.Millisecond
	progressPlain    = 10 * time.Second
)

func newProgress(w io.Writer, mode string, size int64) *progress {
	now := time.Now()
	p := &progress{w: w, size: size, start: now, next: now.Add(progressAfter), off: mode == "never", terminal: isTerminal(w)}
	if mode == "always" {
		p.next = now
	}
	return p
}

// add counts rows that are done, and shows the line when it is due.
func (p *progress) add(rows, rejected int, consumed int64) {
	p.rows += rows
	p.rejected += rejected
	p.consumed = consumed
	now := time.Now()
	if p.off || now.Before(p.next) {
		return
	}
	p.next = now.Add(progressPlain)
	if p.terminal {
		p.next = now.Add(progressTerminal)
	}
	p.show(p.line(now))
}

func (p *progress) show(line string) {
	p.shown = true
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.w, line)
}

func (p *progress) line(now time.Time) string {
	elapsed := now.Sub(p.start)
	line := fmt.Sprintf("%d rows, %s rows/s", p.rows, rateText(float64(p.rows)/max(elapsed.Seconds(), 1e-9)))
	if p.rejected > 0 {
		line += fmt.Sprintf(", %d rejected", p.rejected)
	}
	if p.size > 0 && p.consumed > 0 {
		done := float64(p.consumed) / float64(p.size)
		left := time.Duration(float64(elapsed) * max(0, 1/done-1))
		line += fmt.Sprintf(", %.0f %%, %s left", 100*min(done, 1), left.Round(time.Second))
	}
	return line
}

// finish ends the line and sums up when something was shown or rejected.
func (p *progress) finish(err error) {
	if p.off {
		return
	}
	if p.terminal && p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	if err == nil && (p.shown || p.rejected > 0) {
		elapsed := time.Since(p.start)
		fmt.Fprintf(p.w, "%d rows in %s, %s rows/s, %d rejected\n", p.rows, elapsed.Round(time.Millisecond),
			rateText(float64(p.rows)/max(elapsed.Seconds(), 1e-9)), p.rejected)
	}
}

// rateText writes a rate with a unit that keeps it short.
func rateText(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.1f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f k", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}
