package program

// planBuffers assigns every intermediate tensor a buffer, sharing one between
// values whose lives do not overlap. Sizes are not known before the run, so
// the plan is by lifetime alone and buffers grow to the largest user.
func (p *Program) planBuffers() {
	last := p.lastUses()
	expires := make([][]int, len(p.steps)) // buffers to free after each step
	var free []int
	for i := range p.steps {
		st := &p.steps[i]
		st.buffers = make([]int, len(st.out))
		for k, v := range st.out {
			if st.alias && k == 0 {
				st.buffers[k] = -1
				continue
			}
			b := p.buffers
			if len(free) > 0 {
				b, free = free[len(free)-1], free[:len(free)-1]
			} else {
				p.buffers++
			}
			st.buffers[k] = b
			// A value nobody reads expires with the step that makes it.
			if end := max(last[v], i); end < len(p.steps) {
				expires[end] = append(expires[end], b)
			}
		}
		free = append(free, expires[i]...)
	}
}

// lastUses gives for each value the last step that reads its memory, under
// its own name or an alias; len(steps) for the graph's outputs.
func (p *Program) lastUses() []int {
	last := make([]int, len(p.types))
	for i := range last {
		last[i] = -1
	}
	for i, st := range p.steps {
		for _, v := range st.in {
			if v >= 0 {
				last[v] = i
			}
		}
		for _, v := range st.captures {
			last[v] = i
		}
	}
	for _, v := range p.out {
		last[v] = len(p.steps)
	}
	for i := len(p.steps) - 1; i >= 0; i-- {
		if st := &p.steps[i]; st.alias && len(st.in) > 0 && st.in[0] >= 0 && len(st.out) > 0 {
			last[st.in[0]] = max(last[st.in[0]], last[st.out[0]])
		}
	}
	return last
}
