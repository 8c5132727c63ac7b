//go:build !unix

package load

import "time"

// cpuTime is not known here; only lag tells that the generator is late.
func cpuTime() time.Duration { return 0 }
