package load

// Steady tells whether one rate is due from the first to the last second: not
// in a ramp, steps or a spike, and not of recorded times.
func (a *Arrivals) Steady() bool {
	if a.recorded != nil {
		return false
	}
	for _, s := range a.stages {
		if s.From != a.stages[0].From || s.To != s.From {
			return false
		}
	}
	return true
}
