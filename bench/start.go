package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

const (
	startRow  = "penguins, from exec to ready"
	memoryRow = "penguins, resident after 100 predictions"
	starts    = 20
)

// start measures how long a server takes until its first 200 of /healthz, and
// what it then holds.
func (c *config) start(t *table) error {
	if !c.only.MatchString(startRow) && !c.only.MatchString(memoryRow) {
		return nil
	}
	progress("%s, %d times", startRow, starts)
	var milliseconds, resident, peak []float64
	for range starts {
		ready, now, most, err := c.startOnce()
		if err != nil {
			return err
		}
		milliseconds = append(milliseconds, ready)
		resident, peak = append(resident, now), append(peak, most)
	}
	t.Rows = append(t.Rows,
		limited(startRow, "ms", median(milliseconds), 100),
		limited(memoryRow, "MB", median(resident), 40))
	t.Notes = append(t.Notes, fmt.Sprintf("penguins' resident memory was at most %.1f MB at any time.", median(peak)))
	return nil
}

func (c *config) startOnce() (ready, resident, peak float64, err error) {
	started := time.Now()
	s, err := c.startServer(c.greenlight, "serve", filepath.Join(c.examples, "penguins"), "--addr")
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.untilHealthy(); err != nil {
		return 0, 0, 0, err
	}
	ready = float64(time.Since(started).Microseconds()) / 1000
	for range 100 {
		if _, err := s.ask(filepath.Join(c.examples, "penguins/request.json")); err != nil {
			return 0, 0, 0, err
		}
	}
	resident, peak, err = memory(s.cmd.Process.Pid)
	return ready, resident, peak, err
}

func (s *server) untilHealthy() error {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r, err := http.Get(s.url + "/healthz")
		if err != nil {
			continue
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("%s is not healthy after 10 s", s.name)
}

// memory is a process's resident set and its largest so far, in MB of 10⁶
// bytes.
func memory(pid int) (now, most float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	read := func(field string) float64 {
		m := regexp.MustCompile(field + `:\s*(\d+) kB`).FindSubmatch(status)
		if m == nil {
			err = fmt.Errorf("/proc/%d/status has no %s", pid, field)
			return 0
		}
		kib, _ := strconv.ParseFloat(string(m[1]), 64)
		return kib * 1024 / 1e6
	}
	now, most = read("VmRSS"), read("VmHWM")
	return now, most, err
}
