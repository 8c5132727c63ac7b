package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// measured is what a generator printed, and what it cost.
type measured struct {
	rate     float64 // answers a second
	p50, p99 float64 // seconds
	answers  float64
	cpu      time.Duration
}

// work is what a generator is to do. A rate of 0 is as fast as it goes.
type work struct {
	url         string
	rate        float64
	connections int
	length      time.Duration
	core        string // to run on, "" for all
}

// rival is a generator: how it is called and how its output is read.
type rival struct {
	name string
	args func(w work) []string
	read func(out []byte, w work) (measured, error)
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s" }

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func count(n int) string { return strconv.Itoa(n) }

// greenlight is not a rival but is called like one.
func greenlight(binary string) rival {
	return rival{binary, func(w work) []string {
		args := []string{"load", w.url, "--duration", seconds(w.length), "--json", "--quiet"}
		if w.rate > 0 {
			return append(args, "--rate", number(w.rate), "--connections", count(w.connections))
		}
		return append(args, "--clients", count(w.connections))
	}, readGreenlight}
}

func readGreenlight(out []byte, _ work) (measured, error) {
	var r struct {
		Requests, Rate, Elapsed float64
		Response                struct{ P50, P99 float64 }
	}
	err := json.Unmarshal(out, &r)
	return measured{rate: r.Rate, p50: r.Response.P50, p99: r.Response.P99, answers: r.Rate * r.Elapsed}, err
}

var rivals = []rival{
	{"wrk", func(w work) []string {
		return []string{"-t1", "-c" + count(w.connections), "-d" + seconds(w.length), "--latency", w.url}
	}, readWrk},
	{"wrk2", func(w work) []string {
		return []string{"-t1", "-c" + count(w.connections), "-d" + seconds(w.length), "-R" + number(w.rate), "--latency", w.url}
	}, readWrk},
	{"vegeta", vegetaArgs, readVegeta},
	{"hey", func(w work) []string {
		args := []string{"-z", seconds(w.length), "-c", count(w.connections)}
		if w.rate > 0 {
			args = append(args, "-q", number(w.rate/float64(w.connections)))
		}
		return append(args, w.url)
	}, readHey},
	{"fortio", func(w work) []string {
		return []string{"load", "-quiet", "-json", "-", "-p", "50,99", "-c", count(w.connections), "-qps", number(w.rate), "-t", seconds(w.length), w.url}
	}, readFortio},
	{"k6", k6Args, readK6},
}

var (
	wrkRate    = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkTotal   = regexp.MustCompile(`(\d+) requests in`)
	wrkPercent = map[string]*regexp.Regexp{"50": regexp.MustCompile(`(?m)^\s+50(?:\.000)?%\s+([\d.]+[a-z]+)`), "99": regexp.MustCompile(`(?m)^\s+99(?:\.000)?%\s+([\d.]+[a-z]+)`)}
	heyRate    = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	heyTotal   = regexp.MustCompile(`\[200\]\s+(\d+) responses`)
	heyPercent = map[string]*regexp.Regexp{"50": regexp.MustCompile(`50%\s+in ([\d.]+) secs`), "99": regexp.MustCompile(`99%\s+in ([\d.]+) secs`)}
)

// found is the first group of a pattern as a number, with an optional unit.
func found(out []byte, pattern *regexp.Regexp) float64 {
	m := pattern.FindSubmatch(out)
	if m == nil {
		return 0
	}
	if v, err := strconv.ParseFloat(string(m[1]), 64); err == nil {
		return v
	}
	d, _ := time.ParseDuration(string(m[1]))
	return d.Seconds()
}

func readWrk(out []byte, _ work) (measured, error) {
	return measured{found(out, wrkRate), found(out, wrkPercent["50"]), found(out, wrkPercent["99"]), found(out, wrkTotal), 0}, nil
}

func readHey(out []byte, _ work) (measured, error) {
	return measured{found(out, heyRate), found(out, heyPercent["50"]), found(out, heyPercent["99"]), found(out, heyTotal), 0}, nil
}

// vegeta writes its results in a form of its own, which its report reads.
func vegetaArgs(w work) []string {
	attack := fmt.Sprintf("echo 'GET %s' | vegeta attack -duration=%s -workers=%d -max-workers=%d -connections=%d -rate=%s | vegeta report -type=json",
		w.url, seconds(w.length), w.connections, w.connections, w.connections, number(w.rate))
	return []string{"-c", attack}
}

func readVegeta(out []byte, _ work) (measured, error) {
	var r struct {
		Throughput, Requests float64
		Latencies            struct {
			P50 float64 `json:"50th"`
			P99 float64 `json:"99th"`
		}
	}
	err := json.Unmarshal(out, &r)
	return measured{r.Throughput, r.Latencies.P50 / 1e9, r.Latencies.P99 / 1e9, r.Requests, 0}, err
}

func readFortio(out []byte, _ work) (measured, error) {
	var r struct {
		ActualQPS         float64
		DurationHistogram struct {
			Count       float64
			Percentiles []struct{ Percentile, Value float64 }
		}
	}
	if at := bytes.IndexByte(out, '{'); at > 0 {
		out = out[at:]
	}
	if err := json.Unmarshal(out, &r); err != nil || len(r.DurationHistogram.Percentiles) != 2 {
		return measured{}, fmt.Errorf("fortio: %v %v", r, err)
	}
	p := r.DurationHistogram.Percentiles
	return measured{r.ActualQPS, p[0].Value, p[1].Value, r.DurationHistogram.Count, 0}, nil
}

const k6Script = `import http from 'k6/http';
export const options = {vus: %d, duration: '%s', discardResponseBodies: true, summaryTrendStats: ['p(50)', 'p(99)']};
export default function () { http.get('%s'); }
export function handleSummary(d) { return {stdout: JSON.stringify(d.metrics)}; }
`

func k6Args(w work) []string {
	script := fmt.Sprintf(k6Script, w.connections, seconds(w.length), w.url)
	return []string{"-c", "printf '%s' \"$0\" | k6 run --quiet --no-usage-report -", script}
}

func readK6(out []byte, _ work) (measured, error) {
	var r struct {
		Requests struct{ Values struct{ Rate, Count float64 } } `json:"http_reqs"`
		Duration struct {
			Values struct {
				P50 float64 `json:"p(50)"`
				P99 float64 `json:"p(99)"`
			}
		} `json:"http_req_duration"`
	}
	if at := bytes.IndexByte(out, '{'); at > 0 {
		out = out[at:]
	}
	err := json.Unmarshal(out, &r)
	return measured{r.Requests.Values.Rate, r.Duration.Values.P50 / 1e3, r.Duration.Values.P99 / 1e3, r.Requests.Values.Count, 0}, err
}

// installed gives the rivals of these names that are to be had, and says
// which are not.
func installed(names ...string) []rival {
	var all []rival
	for _, name := range names {
		for _, r := range rivals {
			if r.name != name {
				continue
			}
			if _, err := exec.LookPath(name); err != nil {
				fmt.Fprintf(os.Stderr, "%s is not to be had here\n", name)
				continue
			}
			all = append(all, r)
		}
	}
	return all
}

// run lets the generator do its work. Its processor time is that of all the
// processes it needs.
func (r rival) run(ctx context.Context, w work) (measured, error) {
	argv := append([]string{r.name}, r.args(w)...)
	if argv[1] == "-c" { // a pipe
		argv[0] = "sh"
	}
	if w.core != "" {
		argv = append([]string{"taskset", "-c", w.core}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // the benchmark's own rivals
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	m, readErr := r.read(out.Bytes(), w)
	if readErr != nil || m.rate == 0 {
		return m, fmt.Errorf("%s: %v, %v: %s%s", r.title(), err, readErr, out.Bytes()[:min(out.Len(), 500)], errs.Bytes()[:min(errs.Len(), 500)])
	}
	m.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return m, nil
}

func (r rival) title() string { return filepath.Base(r.name) }
