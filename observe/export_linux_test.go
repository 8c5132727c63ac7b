package observe

import "time"

// ParseStat reads what the kernel tells of a process.
func ParseStat(data []byte) (parent, group, session int, cpu time.Duration, pages int64, err error) {
	p, err := parseStat(data)
	return p.parent, p.group, p.session, p.cpu, p.pages, err
}
