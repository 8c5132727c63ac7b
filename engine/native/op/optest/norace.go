//go:build !race

package optest

// RaceEnabled says that the race detector runs: it makes pools drop what they
// hold at random, so that allocations cannot be counted.
const RaceEnabled = false
