package load

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ThrottlingOf reads the counters of the control group that a process of this
// machine is in; false where it is in none with a quota that can be read.
func ThrottlingOf(pid int) (Throttling, bool) {
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return Throttling{}, false
	}
	for _, folder := range cpuGroups(groups) {
		if !limited(folder) {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(folder, "cpu.stat")); err == nil {
			return parseCPUStat(text), true
		}
	}
	return Throttling{}, false
}

// limited tells whether a group has a quota: without one it is never throttled.
func limited(folder string) bool {
	if v2, err := os.ReadFile(filepath.Join(folder, "cpu.max")); err == nil {
		return !bytes.HasPrefix(v2, []byte("max"))
	}
	v1, err := os.ReadFile(filepath.Join(folder, "cpu.cfs_quota_us"))
	return err == nil && !bytes.HasPrefix(v1, []byte("-1"))
}

// cpuGroups are the folders where the CPU controller of a process may be, by
// what /proc/<pid>/cgroup says (cgroups(7)).
func cpuGroups(text []byte) []string {
	const mount = "/sys/fs/cgroup"
	var folders []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		_, rest, _ := strings.Cut(lines.Text(), ":")
		controllers, path, found := strings.Cut(rest, ":")
		switch {
		case !found:
		case controllers == "":
			folders = append(folders, filepath.Join(mount, path), filepath.Join(mount, "unified", path))
		case strings.Contains(","+controllers+",", ",cpu,"):
			folders = append(folders, filepath.Join(mount, controllers, path), filepath.Join(mount, "cpu", path))
		}
	}
	return folders
}

// parseCPUStat reads cpu.stat of either version.
func parseCPUStat(text []byte) Throttling {
	var t Throttling
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "nr_periods":
			t.Periods = n
		case "nr_throttled":
			t.Throttled = n
		case "throttled_usec": // version 2
			t.Seconds = time.Duration(n * int64(time.Microsecond)).Seconds()
		case "throttled_time": // version 1, in nanoseconds
			t.Seconds = time.Duration(n).Seconds()
		}
	}
	return t
}
