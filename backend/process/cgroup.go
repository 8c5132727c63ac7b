package process

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// cgroups is how resources are limited on this machine: by the kernel's control
// groups of version 2, of version 1, or not at all.
type cgroups struct {
	parents []string // folders in which a replica gets one each; none without limits
	v2      bool
	why     string // why there are no limits
}

// String says it for a person.
func (c *cgroups) String() string {
	if len(c.parents) == 0 {
		return "not limited: " + c.why
	}
	return fmt.Sprintf("cgroup v%d in %s", map[bool]int{true: 2, false: 1}[c.v2], strings.Join(c.parents, ", "))
}

// mount is a mounted hierarchy of control groups.
type mount struct {
	root, point string // the part of the hierarchy, and where it is mounted
	v2          bool
	controllers []string // of version 1
}

// groupFolder is the folder for the replicas' groups in the control plane's own.
const groupFolder = "greenlight"

// detectCgroups tries what this process may do: it makes the folder that it
// would use.
func detectCgroups() *cgroups {
	mounts, err1 := os.ReadFile("/proc/self/mountinfo")
	own, err2 := os.ReadFile("/proc/self/cgroup")
	if err := errors.Join(err1, err2); err != nil {
		return &cgroups{why: err.Error()}
	}
	found := findCgroups(parseMounts(mounts), parseOwn(own))
	found.weigh(runtime.NumCPU())
	return found
}

// weigh gives the folder of all replicas the weight of a process for each core:
// with the kernel's default, all of them together would get as much as one
// process of this machine when it is busy. Where that fails the default stays.
func (c *cgroups) weigh(cores int) {
	file, weight := "cpu.shares", min(1024*cores, 262_144)
	if c.v2 {
		file, weight = "cpu.weight", min(100*cores, 10_000)
	}
	for _, folder := range c.parents {
		if _, err := os.Stat(filepath.Join(folder, file)); err == nil {
			_ = writeGroup(folder, file, strconv.Itoa(weight))
		}
	}
}

// findCgroups chooses among the mounts; own is our group by controller, that of
// version 2 under "".
func findCgroups(mounts []mount, own map[string]string) *cgroups {
	var reasons []error
	for _, m := range mounts {
		if !m.v2 {
			continue
		}
		// our own group when it was delegated to us, else the top
		for _, parent := range []string{filepath.Join(m.point, below(m.root, own[""])), m.point} {
			err := prepareV2(parent)
			if err == nil {
				return &cgroups{parents: []string{filepath.Join(parent, groupFolder)}, v2: true}
			}
			reasons = append(reasons, err)
		}
	}
	parents, err := prepareV1(mounts, own)
	if err == nil {
		return &cgroups{parents: parents}
	}
	// the first reason is the nearest: that of the group we are in
	return &cgroups{why: cmp.Or(append(reasons, err)...).Error()}
}

// below is a group's path inside a mount that shows the hierarchy from root on.
func below(root, group string) string {
	rest, ok := strings.CutPrefix(group, strings.TrimSuffix(root, "/"))
	if !ok {
		return "/"
	}
	return rest
}

// prepareV2 makes our folder in a group and hands it the controllers. The
// kernel refuses that where the group itself has processes, but at the top.
func prepareV2(parent string) error {
	has, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range []string{"cpu", "memory"} {
		if !slices.Contains(strings.Fields(string(has)), controller) {
			return fmt.Errorf("cgroup %s lacks the controller %s", parent, controller)
		}
	}
	folder := filepath.Join(parent, groupFolder)
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, group := range []string{parent, folder} {
		if err := writeGroup(group, "cgroup.subtree_control", "+cpu +memory"); err != nil {
			return err
		}
	}
	return nil
}

func prepareV1(mounts []mount, own map[string]string) ([]string, error) {
	var parents []string
	for _, controller := range []string{"cpu", "memory"} {
		i := slices.IndexFunc(mounts, func(m mount) bool { return slices.Contains(m.controllers, controller) })
		if i < 0 {
			return nil, fmt.Errorf("the cgroup controller %s is not mounted", controller)
		}
		folder := filepath.Join(mounts[i].point, below(mounts[i].root, own[controller]), groupFolder)
		if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if !slices.Contains(parents, folder) {
			parents = append(parents, folder)
		}
	}
	return parents, nil
}

// parseMounts reads proc(5)'s mountinfo.
func parseMounts(data []byte) []mount {
	var list []mount
	for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan(); {
		before, after, _ := strings.Cut(scanner.Text(), " - ")
		where, kind := strings.Fields(before), strings.Fields(after)
		if len(where) < 5 || len(kind) < 3 {
			continue
		}
		m := mount{root: where[3], point: where[4]}
		switch kind[0] {
		case "cgroup":
			m.controllers = strings.Split(kind[2], ",")
		case "cgroup2":
			m.v2 = true
		default:
			continue
		}
		list = append(list, m)
	}
	return list
}

// parseOwn reads proc(5)'s cgroup: id:controllers:path.
func parseOwn(data []byte) map[string]string {
	own := make(map[string]string)
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		for _, controller := range strings.Split(parts[1], ",") {
			own[controller] = parts[2]
		}
	}
	return own
}

// cgroup is the control group of one launch: a folder, with version 1 one for
// each controller; none when nothing is limited.
type cgroup struct {
	folders []string
	v2      bool
}

// limit makes a group with the spec's limits. Where the machine has none it
// says so in the log: the replica runs without.
func (b *Backend) limit(spec greenlight.ReplicaSpec) (cgroup, error) {
	if spec.Resources == (greenlight.Resources{}) {
		return cgroup{}, nil
	}
	if len(b.cgroups.parents) == 0 {
		b.options.Log.Warn("resources are not limited", "replica", spec.ID, "reason", b.cgroups.why)
		return cgroup{}, nil
	}
	name := strings.ToLower(b.instance[:8]) + "." + spec.Environment + "." + spec.ID
	group, err := b.cgroups.create(name, spec.Resources)
	if err != nil {
		return cgroup{}, greenlight.Errorf(greenlight.CodeInternal, "replica %s: limiting its resources: %w", spec.ID, err)
	}
	return group, nil
}

func (c *cgroups) create(name string, resources greenlight.Resources) (cgroup, error) {
	group := cgroup{v2: c.v2}
	for _, parent := range c.parents {
		folder := filepath.Join(parent, name)
		if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			group.remove()
			return cgroup{}, err
		}
		group.folders = append(group.folders, folder)
	}
	if err := group.set(resources); err != nil {
		group.remove()
		return cgroup{}, err
	}
	return group, nil
}

// Microseconds: the period of a CPU quota, the kernel's default, and the least
// quota that it takes.
const (
	period   = 100_000
	minQuota = 1_000
)

// set writes the limits: for version 2 see the kernel's admin-guide
// cgroup-v2.rst, for version 1 cgroup-v1/memory.rst and scheduler/sched-bwc.rst.
func (g cgroup) set(r greenlight.Resources) error {
	quota := strconv.FormatInt(max(r.MilliCPU*period/1000, minQuota), 10)
	memory := strconv.FormatInt(r.MemoryBytes, 10)
	var settings [][2]string
	if r.MilliCPU > 0 && g.v2 {
		settings = append(settings, [2]string{"cpu.max", quota + " " + strconv.Itoa(period)})
	}
	if r.MilliCPU > 0 && !g.v2 {
		settings = append(settings, [2]string{"cpu.cfs_period_us", strconv.Itoa(period)}, [2]string{"cpu.cfs_quota_us", quota})
	}
	if r.MemoryBytes > 0 && g.v2 {
		settings = append(settings, [2]string{"memory.max", memory})
	}
	if r.MemoryBytes > 0 && !g.v2 {
		settings = append(settings, [2]string{"memory.limit_in_bytes", memory})
	}
	for _, s := range settings {
		if err := g.write(s[0], s[1]); err != nil {
			return err
		}
	}
	return nil
}

// write writes to the one folder that has the file.
func (g cgroup) write(file, value string) error {
	for _, folder := range g.folders {
		if _, err := os.Stat(filepath.Join(folder, file)); err == nil {
			return writeGroup(folder, file, value)
		}
	}
	return fmt.Errorf("no %s in %s", file, strings.Join(g.folders, ", "))
}

func writeGroup(folder, file, value string) error {
	return os.WriteFile(filepath.Join(folder, file), []byte(value), 0o644)
}

// outOfMemory tells whether the kernel killed a process of the group for want
// of memory.
func (g cgroup) outOfMemory() bool {
	for _, folder := range g.folders {
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			data, err := os.ReadFile(filepath.Join(folder, file))
			if err == nil && oomKills(string(data)) > 0 {
				return true
			}
		}
	}
	return false
}

func oomKills(events string) int {
	for line := range strings.Lines(events) {
		if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(count))
			return n
		}
	}
	return 0
}

// remove removes the folders; a group that still has a process stays.
func (g cgroup) remove() {
	for _, folder := range g.folders {
		_ = os.Remove(folder)
	}
}
