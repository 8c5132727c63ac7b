package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: USER_HZ is 100 for every architecture
// that Go runs on.
const tick = 10 * time.Millisecond

// Process is what /proc/<pid>/stat tells of a process (proc(5)).
type Process struct {
	Group, Session int
	CPU            time.Duration // that it has used, and those that it has waited for
}

// ReadProcess reads it.
func ReadProcess(pid int) (Process, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Process{}, err
	}
	end := bytes.LastIndexByte(data, ')') // of the name, which may hold anything
	fields := strings.Fields(string(data[end+1:]))
	if end < 0 || len(fields) < 15 {
		return Process{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var n [6]int
	for i, at := range []int{2, 3, 11, 12, 13, 14} { // pgrp session utime stime cutime cstime
		if n[i], err = strconv.Atoi(fields[at]); err != nil {
			return Process{}, err
		}
	}
	return Process{n[0], n[1], time.Duration(n[2]+n[3]+n[4]+n[5]) * tick}, nil
}

// IdleTime is how long the machine's cores had nothing to do, all together,
// and how many there are.
func IdleTime() (idle time.Duration, cores int, err error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	lines := strings.Split(string(data), "\n")
	fields := strings.Fields(lines[0])
	if len(fields) < 6 {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", lines[0])
	}
	nothing, err1 := strconv.Atoi(fields[4])
	wait, err2 := strconv.Atoi(fields[5])
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", lines[0])
	}
	for cores+1 < len(lines) && strings.HasPrefix(lines[cores+1], "cpu") {
		cores++
	}
	return time.Duration(nothing+wait) * tick, cores, nil
}

// WatchMachine begins to watch the processors of this machine and the gateway
// on it; the function that it gives tells what they did since. Both give nil
// where that cannot be read.
func WatchMachine(gateway int) func() *Machine {
	begun := time.Now()
	idle, _, err := IdleTime()
	before, err1 := ReadProcess(gateway) // without one its share is 0
	return func() *Machine {
		now, cores, err2 := IdleTime()
		took := time.Since(begun).Seconds()
		if err != nil || err2 != nil || took <= 0 {
			return nil
		}
		m := &Machine{Cores: cores, Idle: min((now-idle).Seconds()/took, float64(cores))}
		if after, err := ReadProcess(gateway); err == nil && err1 == nil {
			m.Gateway = max(0, (after.CPU-before.CPU).Seconds()/took)
		}
		return m
	}
}
