//go:build !linux

package load

// WatchMachine tells nothing: only Linux has /proc.
func WatchMachine(int) func() *Machine { return func() *Machine { return nil } }
