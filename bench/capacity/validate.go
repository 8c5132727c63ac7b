package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// workload is one of the services that are planned, and how far off its plan
// may be.
type workload struct {
	kind, what string
	most       float64
}

var workloads = []workload{
	{"cpu", "CPU-bound", 0.10},
	{"proxy", "shared proxy stage", 0.15},
	{"lock", "hidden serial lock", 0.20},
}

// predicted is how many replicas are predicted, and measured later.
const predicted = 8

// validation is one run of everything.
type validation struct {
	greenlight, own, folder string
	rounds, attempts        int
	each, wait              time.Duration
	environment             []string
	stage                   string // address
}

func validate(ctx context.Context, args []string) error {
	v := validation{}
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	flags.IntVar(&v.rounds, "rounds", 3, "how often each number of replicas is measured")
	flags.DurationVar(&v.each, "each", 3*time.Second, "of each run")
	flags.IntVar(&v.attempts, "attempts", 8, "at a run that does not count")
	flags.DurationVar(&v.wait, "wait", 5*time.Minute, "how long to wait for room on the machine, before a run")
	only := flags.String("only", "", "one workload")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("want the path of greenlight")
	}
	v.greenlight = flags.Arg(0)
	var err error
	if v.own, err = os.Executable(); err != nil {
		return err
	}
	if v.folder, err = os.MkdirTemp("", "bench-capacity-"); err != nil {
		return err
	}
	defer os.RemoveAll(v.folder)
	end, err := v.share(ctx)
	if err != nil {
		return err
	}
	defer end()
	return v.all(ctx, *only)
}

// share starts what the replicas share.
func (v *validation) share(ctx context.Context) (end func(), err error) {
	stage := exec.CommandContext(ctx, v.own, "stage") //nolint:gosec // this program
	stage.Stderr = os.Stderr
	stage.Cancel = func() error { return stage.Process.Signal(syscall.SIGTERM) }
	out, err := stage.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := stage.Start(); err != nil {
		return nil, err
	}
	end = func() {
		_ = stage.Process.Signal(syscall.SIGTERM)
		_ = stage.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		end()
		return nil, fmt.Errorf("the stage does not start: %w", err)
	}
	v.stage = "http://" + strings.TrimSpace(line) + "/"
	v.environment = append(os.Environ(), stageVar+"="+v.stage, hashesVar+"="+strconv.Itoa(calibrate()))
	return end, nil
}

func (v *validation) all(ctx context.Context, only string) error {
	fmt.Printf("load average %s before; replicas of 0.15 cores; fitted on 1 to 4, predicted for %d\n", loadAverage(), predicted)
	var failed []string
	rows := fmt.Sprintf("%-20s %10s %18s %10s %8s %8s %9s %10s %14s\n", "workload", "predicted", "95 % interval", "measured", "error", "at most", "interval", "law alone", "bottleneck")
	for _, w := range workloads {
		if only != "" && only != w.kind {
			continue
		}
		o, err := v.one(ctx, w)
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", w.what, err))
			rows += fmt.Sprintf("%-20s %s\n", w.what, err)
			continue
		}
		rows += o.row(w)
		if math.Abs(o.point.Error) > w.most || !o.point.Held {
			failed = append(failed, w.what)
		}
	}
	fmt.Printf("\n%sload average %s after\n", rows, loadAverage())
	if len(failed) > 0 {
		return fmt.Errorf("beyond its bound or void: %s", strings.Join(failed, "; "))
	}
	return nil
}

// outcome is one workload's plan with its grade.
type outcome struct {
	plan  plan.Plan
	point plan.GradedPoint
}

func (o *outcome) row(w workload) string {
	held := "held"
	if !o.point.Held {
		held = "NOT HELD"
	}
	alone := o.plan.Evidence.Law.At(predicted)/o.point.Measured - 1
	return fmt.Sprintf("%-20s %9.1f/s %8.1f … %7.1f %8.1f/s %+7.1f%% %7.0f%% %9s %+9.1f%% %14s\n", w.what, o.point.Predicted, o.point.Low, o.point.High,
		o.point.Measured, 100*o.point.Error, 100*w.most, held, 100*alone, o.plan.Curve[predicted-1].By)
}

// one plans a workload and measures it.
func (v *validation) one(ctx context.Context, w workload) (*outcome, error) {
	folder := filepath.Join(v.folder, w.kind)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	description := fmt.Sprintf("name: validate\nservices:\n  %s:\n    run: [%q, serve, %s]\n    ready: /\n    resources: {cpu: 0.15}\n    env: {%[4]s: \"${%[4]s}\", %[5]s: \"${%[5]s}\"}\n",
		w.kind, v.own, w.kind, hashesVar, stageVar)
	if err := os.WriteFile(filepath.Join(folder, "greenlight.yaml"), []byte(description), 0o600); err != nil {
		return nil, err
	}
	out := filepath.Join(folder, "plan")
	how := []string{"--rounds", strconv.Itoa(v.rounds), "--duration", v.each.String(), "--attempts", strconv.Itoa(v.attempts), "--wait", v.wait.String()}
	args := append([]string{"capacity", "plan", w.kind, folder, "--rate", "20", "--slo", "p99<2s", "--out", out, "--json"}, how...)
	if w.kind == "proxy" {
		args = append(args, "--stage", "proxy="+v.stage)
	}
	var o outcome
	if err := v.greenlightJSON(ctx, &o.plan, args); err != nil {
		return nil, err
	}
	var grade plan.Grade
	args = append([]string{"capacity", "check", filepath.Join(out, "plan.json"), "--at", strconv.Itoa(predicted), "--json"}, how...)
	if err := v.greenlightJSON(ctx, &grade, args); err != nil {
		return nil, err
	}
	o.point = grade.Capacity[0]
	return &o, nil
}

// greenlightJSON runs a command that prints JSON; a check that says no (exit
// code 3) has printed it too.
func (v *validation) greenlightJSON(ctx context.Context, to any, args []string) error {
	cmd := exec.CommandContext(ctx, v.greenlight, args...) //nolint:gosec // as given
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = v.environment
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &tee{&said}
	err := cmd.Run()
	if err != nil && cmd.ProcessState.ExitCode() != 3 {
		return errors.New(lastLine(said.String()))
	}
	return json.Unmarshal(out.Bytes(), to)
}

// tee shows progress and keeps it.
type tee struct{ kept *bytes.Buffer }

func (t *tee) Write(p []byte) (int, error) {
	t.kept.Write(p)
	return os.Stderr.Write(p)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func loadAverage() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(data))[:3], " ")
}
