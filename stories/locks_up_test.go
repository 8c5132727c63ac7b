package stories_test

import "testing"

// TestLocksUp: a worker is lost with each reader who does not wait for it,
// until none is left. What then waits cannot be told by its times, only by
// asking again when nobody else does.
func TestLocksUp(t *testing.T) {
	s := newStory(t, "04-locks-up", "reports")

	s.up("RESULTS=handed")
	s.refuses(`(?m)^knee>=80/s not met: `,
		`(?m)^bottleneck: something that all requests wait for: replicas used only [\d.]+ % of their CPU`,
		`(?m)^locks up: does not recover: 0 of \d+ requests answered \d+ s after the load ended`)

	s.up("RESULTS=kept")
	s.passes(`(?m)^knee>=80/s met: 80`)
}
