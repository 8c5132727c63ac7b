package process

import (
	"strings"
	"sync"
)

// found is a process that the census met.
type found struct {
	leader
	group, session int
	launch         string // from its environment; "" when there is none
	overwritten    bool   // its environment is no environment any more
}

// census looks through the machine's processes. That costs some 20 µs for each,
// so calls that come while one looks share the next look.
type census struct {
	mu      sync.Mutex
	next    *look
	looking sync.Mutex
}

type look struct {
	once sync.Once
	list []found
}

// take lists the processes as they are now or later.
func (c *census) take() []found {
	c.mu.Lock()
	if c.next == nil {
		c.next = new(look)
	}
	mine := c.next
	c.mu.Unlock()
	c.looking.Lock()
	defer c.looking.Unlock()
	mine.once.Do(func() {
		c.mu.Lock()
		c.next = nil
		c.mu.Unlock()
		mine.list = processes()
	})
	return mine.list
}

// members are the living processes of a launch other than its leader.
func (c *census) members(rec record) []found {
	var list []found
	reused := rec.Leader.reused()
	for _, p := range c.take() {
		if p.PID == rec.Leader.PID {
			continue
		}
		// Some programs write their title over their environment. In the
		// leader's session and group they are ours, as long as no other process
		// has the leader's pid.
		titled := p.overwritten && !reused && rec.running() && p.group == rec.Leader.PID && p.session == rec.Leader.PID
		if p.launch == rec.Launch && rec.Launch != "" || titled {
			list = append(list, p)
		}
	}
	return list
}

// strays are the living processes of an instance whose launch does not run.
func (c *census) strays(instance string, running map[string]bool) []found {
	var list []found
	for _, p := range c.take() {
		if strings.HasPrefix(p.launch, instance+".") && !running[p.launch] {
			list = append(list, p)
		}
	}
	return list
}
