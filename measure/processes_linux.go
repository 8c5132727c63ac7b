package measure

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

// used is the CPU time of each leader with all processes of its session or
// group, of those that they have waited for too.
func used(leaders []int) (map[int]time.Duration, error) {
	total := make(map[int]time.Duration, len(leaders))
	for _, pid := range leaders {
		total[pid] = 0
	}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name.Name())
		if err != nil {
			continue
		}
		group, session, cpu, err := readStat(pid)
		if err != nil {
			continue // it has ended
		}
		for _, owner := range []int{session, group, pid} {
			if _, ok := total[owner]; ok {
				total[owner] += cpu
				break
			}
		}
	}
	return total, nil
}

// readStat reads proc(5)'s /proc/<pid>/stat.
func readStat(pid int) (group, session int, cpu time.Duration, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, 0, err
	}
	end := bytes.LastIndexByte(data, ')') // of the name, which may hold anything
	fields := strings.Fields(string(data[end+1:]))
	if end < 0 || len(fields) < 15 {
		return 0, 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var n [6]int
	for i, at := range []int{2, 3, 11, 12, 13, 14} { // pgrp session utime stime cutime cstime
		if n[i], err = strconv.Atoi(fields[at]); err != nil {
			return 0, 0, 0, err
		}
	}
	return n[0], n[1], time.Duration(n[2]+n[3]+n[4]+n[5]) * tick, nil
}

// idleTime is how long the machine's cores had nothing to do, all together.
func idleTime() (time.Duration, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(data), "\n")
	fields := strings.Fields(first)
	if len(fields) < 6 {
		return 0, fmt.Errorf("/proc/stat begins with %q", first)
	}
	idle, err1 := strconv.Atoi(fields[4])
	wait, err2 := strconv.Atoi(fields[5])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc/stat begins with %q", first)
	}
	return time.Duration(idle+wait) * tick, nil
}
