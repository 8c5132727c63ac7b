package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"

	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/enginetest"
	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/engine/onnxruntime"
	"github.com/greenlight-dev/greenlight/tensor"
)

// enginesReport is what the pinned process hands back.
type enginesReport struct {
	Version string // ONNX Runtime's
	Rows    []row
	Notes   []string
}

// engines compares the two engines in one process on one core.
func (c *config) engines(t *table) error {
	cmd := self(c.serverCore, "engines", "-onnxruntime", c.onnxruntime, "-fromc", c.fromC, "-examples", c.examples, "-only", c.only.String())
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("comparing the engines: %w", err)
	}
	var report enginesReport
	if err := json.Unmarshal(out, &report); err != nil {
		return err
	}
	if len(report.Rows) == 0 {
		return nil
	}
	t.Rows, t.Notes = append(t.Rows, report.Rows...), append(t.Notes, report.Notes...)
	t.Rivals = append(t.Rivals, "ONNX Runtime "+report.Version)
	return nil
}

// enginesPart runs on one core, so Go has one processor too. ONNX Runtime
// gets one thread, which leaves it no pool to wait for.
func enginesPart(args []string, w io.Writer) error {
	flags := flag.NewFlagSet("engines", flag.ExitOnError)
	library := flags.String("onnxruntime", "", "")
	fromC := flags.String("fromc", "", "")
	examples := flags.String("examples", "", "")
	only := flags.String("only", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	rival, err := onnxruntime.New(*library, onnxruntime.Options{Threads: 1})
	if err != nil {
		return err
	}
	defer rival.Close()
	work, err := os.MkdirTemp("", "greenlight-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	all, err := contests(*examples, work)
	if err != nil {
		return err
	}
	report := enginesReport{Version: rival.Version(), Rows: []row{}}
	for _, c := range all {
		if !regexp.MustCompile(*only).MatchString(c.what) {
			continue
		}
		progress("%s", c.what)
		r, note, err := c.run(native.New(native.Options{}), rival, callerFromC{*fromC, *library, work})
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		report.Rows = append(report.Rows, r)
		if note != "" {
			report.Notes = append(report.Notes, note)
		}
	}
	return json.NewEncoder(w).Encode(report)
}

func (c contest) run(ours, rival engine.Engine, fromC callerFromC) (r row, note string, err error) {
	a, err := c.open(ours)
	if err != nil {
		return r, "", err
	}
	defer a.session.Close()
	b, err := c.open(rival)
	if err != nil {
		return r, "", err
	}
	defer b.session.Close()
	if err := agree(a, b); err != nil {
		return r, "", err
	}
	sides := make([]side, 2, 3)
	for i, n := range []*entrant{a, b} {
		if sides[i], err = perCall(n.call); err != nil {
			return r, "", err
		}
	}
	if fromC.wanted(c) {
		third, stop, err := fromC.start(c)
		if err != nil {
			return r, "", err
		}
		defer stop()
		sides = append(sides, third)
	}
	figures, err := alternate(rounds, sides...)
	if err != nil {
		return r, "", err
	}
	r = compared(c.what, "ns", figures[0], figures[1], quotients(figures[1], figures[0]), c.target)
	if len(figures) > 2 {
		note = fmt.Sprintf("%s: ONNX Runtime called from C, without the adapter, takes %s, %.2f× Greenlight's time.",
			c.what, figure(median(figures[2]), "ns"), median(quotients(figures[2], figures[0])))
	}
	return r, note, nil
}

// entrant is a session with its inputs and outputs, both used again in every
// call, as a server does.
type entrant struct {
	session engine.Session
	batches []*tensor.Tensor
	x       *tensor.Tensor
	in, out []tensor.Value
}

func (c contest) open(e engine.Engine) (*entrant, error) {
	s, err := e.Load(context.Background(), c.model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name(), err)
	}
	n := &entrant{session: s, x: &tensor.Tensor{}, out: make([]tensor.Value, len(s.Outputs()))}
	n.in = []tensor.Value{n.x}
	for from := 0; from+c.batch <= c.rows.Dim(0); from += c.batch {
		batch := &tensor.Tensor{}
		batch.ViewRows(c.rows, from, from+c.batch)
		n.batches = append(n.batches, batch)
	}
	return n, nil
}

// call runs the session on batch i. The batches take turns, so that no branch
// predictor learns one row by heart.
func (n *entrant) call(i int) error {
	if len(n.batches) > 1 || i == 0 {
		n.x.CopyFrom(n.batches[i%len(n.batches)])
	}
	return n.session.Run(context.Background(), n.in, n.out)
}

// agree checks that what is compared computes the same.
func agree(a, b *entrant) error {
	for i := range a.batches {
		if err := a.call(i); err != nil {
			return err
		}
		if err := b.call(i); err != nil {
			return err
		}
		for k := range a.out {
			if err := enginetest.Compare(a.out[k], b.out[k], 1e-4, 1e-4); err != nil {
				return fmt.Errorf("the engines disagree on batch %d, output %d: %w", i, k, err)
			}
		}
	}
	if slices.Contains(a.out, nil) || slices.Contains(b.out, nil) {
		return fmt.Errorf("an output is missing")
	}
	return nil
}
