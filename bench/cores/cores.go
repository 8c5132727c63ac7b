// Package cores keeps what is measured and what measures it apart.
package cores

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Split puts this process, and what it starts from now on, on one core, and
// names another for what it measures; both as taskset takes them.
func Split() (other, own string, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return "", "", err
	}
	var two []int
	for c := 0; c < 1024 && len(two) < 2; c++ {
		if set.IsSet(c) {
			two = append(two, c)
		}
	}
	if len(two) < 2 {
		return "", "", errors.New("needs two cores, one for what is measured and one for this")
	}
	runtime.GOMAXPROCS(1)
	return strconv.Itoa(two[0]), strconv.Itoa(two[1]), pin(two[1])
}

func pin(core int) error {
	var own unix.CPUSet
	own.Set(core)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		var tid int
		if _, err := fmt.Sscan(t.Name(), &tid); err == nil {
			_ = unix.SchedSetaffinity(tid, &own) // a thread may have ended; new ones inherit
		}
	}
	return nil
}
