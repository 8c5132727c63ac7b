//go:build !linux

package observe_test

// child has no part where processes are not read.
func child(string) {}
