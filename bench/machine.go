package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// cores are the one that everything measured runs on and the one of the load
// client: the first two that this process may use.
func cores() (server, client int, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, fmt.Errorf("the benchmark needs Linux: %w", err)
	}
	list := regexp.MustCompile(`Cpus_allowed_list:\s*(\S+)`).FindSubmatch(status)
	if list == nil {
		return 0, 0, fmt.Errorf("/proc/self/status has no Cpus_allowed_list")
	}
	var allowed []int
	for part := range strings.SplitSeq(string(list[1]), ",") {
		from, to, span := strings.Cut(part, "-")
		first, _ := strconv.Atoi(from)
		last := first
		if span {
			last, _ = strconv.Atoi(to)
		}
		for cpu := first; cpu <= last; cpu++ {
			allowed = append(allowed, cpu)
		}
	}
	if len(allowed) < 2 {
		return 0, 0, fmt.Errorf("the benchmark needs two cores, one for what is measured and one for the load; it may use %s", list[1])
	}
	return allowed[0], allowed[1], nil
}

// pinned is a command that runs on one core.
func pinned(core int, name string, args ...string) *exec.Cmd {
	cmd := exec.Command("taskset", append([]string{"-c", strconv.Itoa(core), name}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// self is one of this programme's parts on one core.
func self(core int, part string, args ...string) *exec.Cmd {
	return pinned(core, executable(), append([]string{part}, args...)...)
}

// executable is this programme's file; /proc/self/exe would be taskset.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// machine says what ran the benchmark.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*:\s*(.+)`).FindSubmatch(info); m != nil {
			model = string(m[1])
		}
	}
	load := "?"
	if avg, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(avg), " ")
	}
	return fmt.Sprintf("%s, %d cores, one of them used; %s %s; load average at the start %s",
		model, runtime.NumCPU(), runtime.Version(), runtime.GOOS, load)
}
