//go:build linux

package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
)

// tree makes a hierarchy of control groups out of plain files: what the kernel
// would do with them is not there.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFindCgroups(t *testing.T) {
	v2 := tree(t, map[string]string{
		"cgroup.controllers":                        "cpuset cpu io memory pids",
		"user.slice/me.service/cgroup.controllers":  "cpu memory",
		"user.slice/alone.scope/cgroup.controllers": "memory pids",
	})
	v1 := tree(t, map[string]string{"cpu,cpuacct/docker/c1/tasks": "", "memory/docker/c1/tasks": ""})
	v2Line := "31 23 0:28 / " + v2 + " rw - cgroup2 cgroup2 rw,nsdelegate\n"
	v1Lines := "32 31 0:29 /docker " + v1 + "/cpu,cpuacct/docker rw shared:7 master:3 - cgroup cgroup rw,cpu,cpuacct\n" +
		"33 31 0:30 /docker " + v1 + "/memory/docker rw - cgroup cgroup rw,memory\n"
	tests := map[string]struct {
		mounts, own string
		want        []string
		v2          bool
	}{
		"delegated":           {v2Line, "0::/user.slice/me.service\n", []string{v2 + "/user.slice/me.service/greenlight"}, true},
		"too few controllers": {v2Line, "0::/user.slice/alone.scope\n", []string{v2 + "/greenlight"}, true},
		"version 1":           {v1Lines, "4:memory:/docker/c1\n2:cpu,cpuacct:/docker/c1\n0::/\n", []string{v1 + "/cpu,cpuacct/docker/c1/greenlight", v1 + "/memory/docker/c1/greenlight"}, false},
		"nothing":             {"1 2 0:3 / / rw - ext4 /dev/sda rw\nrubbish\n", "", nil, false},
		"another's namespace": {v1Lines, "4:memory:/elsewhere\n2:cpu,cpuacct:/elsewhere\n", []string{v1 + "/cpu,cpuacct/docker/greenlight", v1 + "/memory/docker/greenlight"}, false},
	}
	for name, tt := range tests {
		got := findCgroups(parseMounts([]byte(tt.mounts)), parseOwn([]byte(tt.own)))
		if !slices.Equal(got.parents, tt.want) || got.v2 != tt.v2 {
			t.Errorf("%s: %+v, want %q", name, got, tt.want)
		}
		if len(tt.want) == 0 && !strings.HasPrefix(got.String(), "not limited: the cgroup controller cpu is not mounted") {
			t.Errorf("%s: says %q", name, got)
		}
	}
	control, err := os.ReadFile(filepath.Join(v2, "user.slice/me.service/greenlight/cgroup.subtree_control"))
	if err != nil || string(control) != "+cpu +memory" {
		t.Errorf("the folder for replicas hands on %q, %v", control, err)
	}
}

func TestLimitsAsTheKernelReadsThem(t *testing.T) {
	resources := greenlight.Resources{MilliCPU: 250, MemoryBytes: 64 << 20}
	for _, tt := range []struct {
		v2    bool
		files map[string]string
	}{
		{true, map[string]string{"cpu.max": "25000 100000", "memory.max": "67108864"}},
		{false, map[string]string{"cpu.cfs_quota_us": "25000", "cpu.cfs_period_us": "100000", "memory.limit_in_bytes": "67108864"}},
	} {
		empty := make(map[string]string)
		for name := range tt.files {
			empty[name] = ""
		}
		g := cgroup{folders: []string{tree(t, empty)}, v2: tt.v2}
		if err := g.set(resources); err != nil {
			t.Error(err)
		}
		for name, want := range tt.files {
			if got, err := os.ReadFile(filepath.Join(g.folders[0], name)); string(got) != want || err != nil {
				t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
			}
		}
	}
	if err := (cgroup{folders: []string{t.TempDir()}}).set(resources); err == nil {
		t.Error("a folder without the kernel's files takes limits")
	}
}

// All replicas together weigh more than one process.
func TestWeigh(t *testing.T) {
	for _, tt := range []struct {
		v2         bool
		file, want string
	}{{true, "cpu.weight", "800"}, {false, "cpu.shares", "8192"}} {
		folder := tree(t, map[string]string{tt.file: "default"})
		(&cgroups{parents: []string{folder, t.TempDir()}, v2: tt.v2}).weigh(8)
		if got, err := os.ReadFile(filepath.Join(folder, tt.file)); string(got) != tt.want || err != nil {
			t.Errorf("%s holds %q, %v; want %q", tt.file, got, err, tt.want)
		}
	}
}

func TestOutOfMemory(t *testing.T) {
	for text, want := range map[string]bool{
		"low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n": true,
		"low 0\noom 3\noom_kill 0\n":                                   false,
		"oom_kill many\n":                                              false,
		"":                                                             false,
	} {
		g := cgroup{folders: []string{tree(t, map[string]string{"memory.events": text})}}
		if got := g.outOfMemory(); got != want {
			t.Errorf("outOfMemory of %q = %t", text, got)
		}
	}
}

// A process started into a version 2 group is in it from the start, where a
// hierarchy is mounted in which we may make one.
func TestStartInV2Group(t *testing.T) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(parseMounts(mounts), func(m mount) bool { return m.v2 })
	if i < 0 {
		t.Skip("no cgroup v2 is mounted")
	}
	folder := filepath.Join(parseMounts(mounts)[i].point, "greenlight-test")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Skipf("not allowed to make a cgroup: %v", err)
	}
	defer os.Remove(folder)
	g := cgroup{folders: []string{folder}, v2: true}
	attributes := ownSession()
	pid, err := g.start(attributes, func() (int, error) {
		process, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{Sys: attributes})
		if err != nil {
			return 0, err
		}
		defer process.Release()
		return process.Pid, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	who, err := identify(pid)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(folder, "cgroup.procs"))
	if err != nil || strings.TrimSpace(string(data)) != itoa(pid) {
		t.Errorf("the group holds %q, %v; want %d", data, err, pid)
	}
	killChild(pid)
	if who.alive() {
		t.Error("it is alive")
	}
}
