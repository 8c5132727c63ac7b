// Command up measures what it costs to have a system: the time from nothing to
// the first prediction, and what the control plane uses while nothing happens.
//
//	up GREENLIGHT [-runs 10] [-idle 30s]
//
// GREENLIGHT is the built program.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/greenlight-dev/greenlight/bench/system"
)

const (
	maxStart  = 1500 * time.Millisecond
	maxMemory = 60e6
	maxShare  = 0.01
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench/up:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) < 1 {
		return errors.New("usage: up GREENLIGHT [-runs 10] [-idle 30s]")
	}
	f := flag.NewFlagSet("up", flag.ContinueOnError)
	runs := f.Int("runs", 10, "cold starts")
	idle := f.Duration("idle", 30*time.Second, "how long to watch the control plane")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	s, err := system.New(args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.End()) }()
	missed, err := measureStart(ctx, s, *runs)
	if err != nil {
		return err
	}
	more, err := measureIdle(ctx, s, *idle)
	if err != nil {
		return err
	}
	if missed || more {
		return errors.New("a goal was missed")
	}
	return nil
}

// measureStart measures from exec to the first prediction through the gateway.
func measureStart(ctx context.Context, s *system.System, runs int) (missed bool, err error) {
	if err := s.Describe("name: cold\nservices:\n  penguins:\n    model: .\n"); err != nil {
		return false, err
	}
	var times []time.Duration
	for range runs {
		took, err := coldStart(ctx, s)
		if err != nil {
			return false, err
		}
		times = append(times, took)
	}
	slices.Sort(times)
	median, worst := times[len(times)/2], times[len(times)-1]
	fmt.Printf("from greenlight up to the first prediction: median %s, worst %s of %d; goal below %s\n",
		median.Round(time.Millisecond), worst.Round(time.Millisecond), runs, maxStart)
	return worst >= maxStart, nil
}

func coldStart(ctx context.Context, s *system.System) (time.Duration, error) {
	gateway, err := freeAddress()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	c := s.Command(ctx, "up", "-d", "--gateway", gateway, "--control", "127.0.0.1:0")
	if err := c.Start(); err != nil {
		return 0, err
	}
	err = firstPrediction(ctx, gateway)
	took := time.Since(began)
	return took, errors.Join(err, c.Wait(), s.Down())
}

func firstPrediction(ctx context.Context, gateway string) error {
	var last error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
		answer, err := http.Post("http://"+gateway+"/predict", "application/json", strings.NewReader(system.Row))
		if err != nil {
			last = err
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err == nil && answer.StatusCode == http.StatusOK && bytes.Contains(body, []byte("predictions")) {
			return nil
		}
		last = fmt.Errorf("%s: %.200s", answer.Status, body)
	}
	return errors.Join(ctx.Err(), last)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// measureIdle watches a control plane with three services that nobody uses.
func measureIdle(ctx context.Context, s *system.System, d time.Duration) (missed bool, err error) {
	const services = "name: idle\nservices:\n  a: {model: ., replicas: 2}\n  b: {model: ., replicas: 2}\n  c: {model: ., replicas: 2}\n"
	if err := s.Describe(services); err != nil {
		return false, err
	}
	if err := s.Up(ctx); err != nil {
		return false, err
	}
	status, err := s.Status(ctx)
	if err != nil {
		return false, err
	}
	pid := status.Control.PID
	time.Sleep(5 * time.Second) // what starting left to do
	before, err := cpuTime(pid)
	if err != nil {
		return false, err
	}
	time.Sleep(d)
	after, err := cpuTime(pid)
	if err != nil {
		return false, err
	}
	memory, err := resident(pid)
	if err != nil {
		return false, err
	}
	share := (after - before).Seconds() / d.Seconds()
	fmt.Printf("control plane with 3 services, idle for %s: %.1f MB resident, %.2f %% of a core; goal below %.0f MB and %.0f %%\n",
		d, float64(memory)/1e6, 100*share, maxMemory/1e6, 100*maxShare)
	return float64(memory) >= maxMemory || share >= maxShare, nil
}

// cpuTime is what a process has used of processors; see proc_pid_stat(5).
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil // 100 a second on Linux
}

// resident is a process's memory in bytes; see proc_pid_statm(5).
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", pid, text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
