package measure

import (
	"os"
	"strconv"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

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
		p, err := load.ReadProcess(pid)
		if err != nil {
			continue // it has ended
		}
		for _, owner := range []int{p.Session, p.Group, pid} {
			if _, ok := total[owner]; ok {
				total[owner] += p.CPU
				break
			}
		}
	}
	return total, nil
}

// idleTime is how long the machine's cores had nothing to do, all together.
func idleTime() (time.Duration, error) {
	idle, _, err := load.IdleTime()
	return idle, err
}
