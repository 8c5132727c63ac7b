package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// killed ends a process as a crash would.
func killed(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: killed PID-FILE")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[0])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
}

// deserted waits until nothing runs in the script's folder any more.
func deserted(ts *testscript.TestScript, _ bool, _ []string) {
	dir := ts.Getenv("WORK")
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		left := processesIn(dir)
		if len(left) == 0 {
			return
		}
		if time.Since(start) > 10*time.Second {
			ts.Fatalf("still running: %v", left)
		}
	}
}

// killAll ends whatever runs in a folder: again and again, as a control plane
// starts anew what was killed before it.
func killAll(dir string) {
	for range 100 {
		left := processesIn(dir)
		if len(left) == 0 {
			return
		}
		for pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "still running in", dir, processesIn(dir))
}

// processesIn are the processes that work in a folder or name it in their
// command line or environment, with their command lines.
func processesIn(dir string) map[int]string {
	found := make(map[int]string)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		proc := filepath.Join("/proc", entry.Name())
		cwd, _ := os.Readlink(filepath.Join(proc, "cwd")) // of others' processes it cannot be read
		command, _ := os.ReadFile(filepath.Join(proc, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(proc, "environ"))
		if len(command) == 0 { // a zombie
			continue
		}
		if cwd == dir || strings.HasPrefix(cwd, dir+"/") || bytes.Contains(command, []byte(dir+"/")) || bytes.Contains(environ, []byte("WORK="+dir+"\x00")) {
			found[pid] = string(bytes.ReplaceAll(command, []byte{0}, []byte{' '}))
		}
	}
	return found
}
