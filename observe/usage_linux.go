package observe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	// clockTick is the unit of times in /proc/<pid>/stat: USER_HZ is 100 for
	// every architecture that Go runs on.
	clockTick = 10 * time.Millisecond
	// censusEvery is how often the processes of replicas are looked for among
	// all of the machine.
	censusEvery = 5 * time.Second
	// sharedEvery is how often it is measured how much memory the processes of
	// a replica share, which the kernel has to walk through for.
	sharedEvery = time.Minute
	// readsATick bounds the replicas read in one tick; of more, each is read
	// every other one, or more rarely.
	readsATick = 256
)

// usage reads what the processes of replicas use. To a replica belong its
// leader, the processes in the leader's session or group, and those that any
// of them started.
type usage struct {
	groups  map[int]*group // by the leader's pid
	census  time.Time
	turn    int
	page    int64
	content []byte // of the file that was read last
}

// group is a replica's processes.
type group struct {
	start   uint64 // of the leader: another one means that the pid was used again
	members []int
	used    map[int]time.Duration // CPU that each had used when it was read last
	total   time.Duration
	at      time.Time
	cpu     float64
	memory  int64
	// shared is the proportional memory over the resident: below 1 where
	// processes share pages.
	shared   float64
	sharedAt time.Time
}

// process is what is needed of proc(5)'s /proc/<pid>/stat.
type process struct {
	parent, group, session int
	start                  uint64        // clock ticks after boot
	cpu                    time.Duration // of it and of the children that it has waited for
	pages                  int64         // resident
}

func newUsage() *usage {
	return &usage{groups: make(map[int]*group), page: int64(os.Getpagesize()), content: make([]byte, 4096)}
}

// of is what the processes of a leader used between the last two reads.
func (u *usage) of(leader int) (cpu float64, memory int64) {
	if g := u.groups[leader]; g != nil {
		return g.cpu, g.memory
	}
	return 0, 0
}

// read reads the processes of these leaders, in ascending order, and forgets
// all others.
func (u *usage) read(now time.Time, leaders []int) {
	if u.changed(leaders) || now.Sub(u.census) >= censusEvery {
		u.findMembers(leaders)
		u.census = now
	}
	u.turn++
	turns := (len(leaders) + readsATick - 1) / readsATick
	for i, leader := range leaders {
		if g := u.groups[leader]; i%turns == u.turn%turns || g.at.IsZero() {
			u.readGroup(now, leader, g)
		}
	}
}

// changed makes the groups those of the leaders; it tells whether one is new.
func (u *usage) changed(leaders []int) (added bool) {
	wanted := make(map[int]bool, len(leaders))
	for _, leader := range leaders {
		wanted[leader] = true
		if u.groups[leader] == nil {
			added = true
			u.groups[leader] = &group{members: []int{leader}, used: make(map[int]time.Duration), shared: 1}
		}
	}
	for leader := range u.groups {
		if !wanted[leader] {
			delete(u.groups, leader)
		}
	}
	return added
}

// findMembers looks through all processes of the machine.
func (u *usage) findMembers(leaders []int) {
	if len(leaders) == 0 {
		return
	}
	for leader, g := range u.groups {
		g.members = append(g.members[:0], leader)
	}
	all := u.everyProcess()
	owner := func(pid int, p process) int {
		// a chain of parents is short; one that grows while it is read ends here
		for range 32 {
			for _, candidate := range []int{p.session, p.group, pid} {
				if u.groups[candidate] != nil {
					return candidate
				}
			}
			next, ok := all[p.parent]
			if !ok {
				return 0
			}
			pid, p = p.parent, next
		}
		return 0
	}
	for pid, p := range all {
		if leader := owner(pid, p); leader != 0 && pid != leader {
			u.groups[leader].members = append(u.groups[leader].members, pid)
		}
	}
}

func (u *usage) everyProcess() map[int]process {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	all := make(map[int]process, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, err := u.process(pid); err == nil {
				all[pid] = p
			}
		}
	}
	return all
}

// readGroup reads a replica's processes. CPU is counted for the group as a
// whole: what a child used moves to its parent when that waits for it. A
// process that is seen for the first time counts from then on.
func (u *usage) readGroup(now time.Time, leader int, g *group) {
	first, err := u.process(leader)
	if err != nil || first.start != g.start {
		*g = group{start: first.start, members: append(g.members[:0], leader), used: make(map[int]time.Duration), shared: 1}
	}
	var total, before time.Duration
	var pages int64
	used := make(map[int]time.Duration, len(g.members))
	for _, pid := range g.members {
		p, err := u.process(pid)
		if err != nil {
			continue
		}
		used[pid] = p.cpu
		total += p.cpu
		pages += p.pages
		if _, known := g.used[pid]; !known {
			before += p.cpu
		}
	}
	g.cpu = 0
	if !g.at.IsZero() && now.After(g.at) {
		g.cpu = max(total-g.total-before, 0).Seconds() / now.Sub(g.at).Seconds()
	}
	g.used, g.total, g.at = used, total, now
	resident := pages * u.page
	if len(g.members) > 1 && now.Sub(g.sharedAt) >= sharedEvery {
		g.shared, g.sharedAt = u.sharedBy(g.members, resident), now
	}
	if len(g.members) == 1 {
		g.shared, g.sharedAt = 1, time.Time{}
	}
	g.memory = int64(float64(resident) * g.shared)
}

// sharedBy is how much of the resident memory is left when pages that several
// processes share count once.
func (u *usage) sharedBy(members []int, resident int64) float64 {
	var proportional int64
	for _, pid := range members {
		data, err := u.file("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
		if err != nil {
			return 1
		}
		proportional += parseProportional(data)
	}
	if proportional <= 0 || proportional >= resident {
		return 1
	}
	return float64(proportional) / float64(resident)
}

// parseProportional reads proc(5)'s smaps_rollup: "Pss:  1234 kB".
func parseProportional(data []byte) int64 {
	for line := range bytes.Lines(data) {
		if rest, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
			kib, _ := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte(" kB"))), 10, 48)
			return kib << 10
		}
	}
	return 0
}

func (u *usage) process(pid int) (process, error) {
	data, err := u.file("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, err
	}
	return parseStat(data)
}

// parseStat reads proc(5)'s stat. The second field is the program's name in
// parentheses and may hold spaces and parentheses itself.
func parseStat(data []byte) (process, error) {
	const afterName = 3 // number of the first field here
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 24-afterName+1 {
		return process{}, fmt.Errorf("unknown form of stat: %q", data)
	}
	var failed error
	field := func(number int) int64 {
		n, err := strconv.ParseInt(string(fields[number-afterName]), 10, 64)
		failed = errors.Join(failed, err)
		return n
	}
	p := process{parent: int(field(4)), group: int(field(5)), session: int(field(6)), start: uint64(field(22)), pages: max(field(24), 0)}
	for number := 14; number <= 17; number++ { // user and system, its own and its children's
		p.cpu += time.Duration(field(number)) * clockTick
	}
	return p, failed
}

// file reads a file of /proc into one buffer. The system calls themselves:
// os.File would be registered for polling each time.
func (u *usage) file(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	n, err := syscall.Read(fd, u.content)
	if err != nil {
		return nil, err
	}
	return u.content[:n], nil
}
