//go:build !linux

package load

// ThrottlingOf tells nothing: only Linux has control groups.
func ThrottlingOf(int) (Throttling, bool) { return Throttling{}, false }
