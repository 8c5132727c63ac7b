//go:build linux

package load

import (
	"slices"
	"testing"
)

func TestControlGroupsOfEitherVersion(t *testing.T) {
	v2 := cpuGroups([]byte("0::/user.slice/greenlight/iris-1\n"))
	if want := []string{"/sys/fs/cgroup/user.slice/greenlight/iris-1", "/sys/fs/cgroup/unified/user.slice/greenlight/iris-1"}; !slices.Equal(v2, want) {
		t.Errorf("version 2: %q", v2)
	}
	v1 := cpuGroups([]byte("4:memory:/m\n3:cpu,cpuacct:/greenlight/iris-1\n2:cpuset:/\nbroken\n"))
	if want := []string{"/sys/fs/cgroup/cpu,cpuacct/greenlight/iris-1", "/sys/fs/cgroup/cpu/greenlight/iris-1"}; !slices.Equal(v1, want) {
		t.Errorf("version 1: %q", v1)
	}
	want := Throttling{Periods: 20, Throttled: 5, Seconds: 1.5}
	for _, text := range []string{
		"usage_usec 1\nnr_periods 20\nnr_throttled 5\nthrottled_usec 1500000\n",
		"nr_periods 20\nnr_throttled 5\nthrottled_time 1500000000\n",
	} {
		if got := parseCPUStat([]byte(text)); got != want {
			t.Errorf("%q gives %+v", text, got)
		}
	}
}
