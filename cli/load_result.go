package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

// write puts the result where the flags say.
func (o *loadOptions) write(env Env, r *load.Result) error {
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{o.output, asJSON(r)},
		{o.html, r.WriteHTML},
		{o.junit, r.WriteJUnit},
		{o.prom, r.WritePrometheus},
	} {
		if f.name == "" {
			continue
		}
		if err := writeLoadFile(f.name, f.write); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(env.Stdout, r)
	}
	return r.WriteText(env.Stdout)
}

func asJSON(v any) func(io.Writer) error {
	return func(w io.Writer) error { return writeJSON(w, v) }
}

func writeLoadFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return f.Close()
}

// loadView shows a test that runs: one line that rewrites itself on a
// terminal, elsewhere a plain line every few seconds.
type loadView struct {
	w        io.Writer
	off      bool
	terminal bool
	length   float64 // seconds
	recent   []float64
	errors   int64
	shown    float64
}

// viewPlain is the time in seconds between plain lines.
const viewPlain = 5

func newLoadView(w io.Writer, quiet bool, length time.Duration) *loadView {
	return &loadView{w: w, off: quiet, terminal: isTerminal(w), length: length.Seconds()}
}

func (v *loadView) observe(s load.Second) {
	v.errors += s.Errors
	const width = 30
	if v.recent = append(v.recent, s.P99); len(v.recent) > width {
		v.recent = v.recent[1:]
	}
	switch {
	case v.off:
	case v.terminal:
		fmt.Fprint(v.w, "\r\x1b[K"+fitting(v.w, v.line(s, " "+sparkline(v.recent))))
	case s.At-v.shown >= viewPlain-0.1:
		v.shown = s.At
		fmt.Fprintln(v.w, v.line(s, ""))
	}
}

// line is the second that ended; spark are the p99 of those before.
func (v *loadView) line(s load.Second, spark string) string {
	at := fmt.Sprintf("%3.0f/%.0f s", s.At, v.length)
	if s.At > v.length+0.5 {
		at += ", waiting for the last answers"
	}
	return fmt.Sprintf("%s  %s/s  p50 %s  p99 %s%s  in flight %.0f  errors %d",
		at, rateText(float64(s.Requests)), load.Seconds(s.P50), load.Seconds(s.P99), spark, s.InFlight, v.errors)
}

func (v *loadView) finish() {
	if v.terminal && !v.off {
		fmt.Fprint(v.w, "\r\x1b[K")
	}
}

// sparkline draws values as bars from nothing to the largest.
func sparkline(values []float64) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	var most float64
	for _, v := range values {
		most = max(most, v)
	}
	var b strings.Builder
	for _, v := range values {
		at := 0
		if most > 0 {
			at = min(int(v/most*float64(len(bars))), len(bars)-1)
		}
		b.WriteRune(bars[at])
	}
	return b.String()
}
