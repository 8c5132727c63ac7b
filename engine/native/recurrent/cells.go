package recurrent

import "github.com/greenlight-dev/greenlight/engine/native/gemm"

// cell is the arithmetic of one time step.
type cell interface {
	// step adds the state's part to s.gates and updates s.h and s.c.
	step(p *pass, s *step)
}

// step is one time step of some sequences. gates has a row for each, ld apart;
// h, c and temp have rows without gaps.
type step struct {
	rows, hidden int
	gates        []float32
	ld           int
	h, c, temp   []float32
}

// row gives gates first … last-1 of sequence b.
func (s *step) row(b, first, last int) []float32 {
	return s.gates[b*s.ld+first*s.hidden : b*s.ld+last*s.hidden]
}

// of is sequence b's row of a state.
func (s *step) of(state []float32, b int) []float32 { return state[b*s.hidden:][:s.hidden] }

// activate clips and applies activation i.
func (p *pass) activate(i int, values []float32) {
	if p.clip > 0 {
		for j, v := range values {
			values[j] = min(max(v, -p.clip), p.clip)
		}
	}
	p.activations[i](values)
}

// addState adds h·R to the gates.
func (p *pass) addState(s *step, h []float32) {
	p.state.Mul(p.ws, s.rows, h, s.hidden, s.gates, s.ld, gemm.Epilogue{Accumulate: true})
}

type rnnCell struct{}

func (rnnCell) step(p *pass, s *step) {
	p.addState(s, s.h)
	for b := range s.rows {
		row := s.row(b, 0, 1)
		p.activate(0, row)
		copy(s.of(s.h, b), row)
	}
}

type gruCell struct{}

// step follows the gates z, r, h.
func (gruCell) step(p *pass, s *step) {
	p.addState(s, s.h)
	for b := range s.rows {
		p.activate(0, s.row(b, 0, 2))
	}
	if p.afterReset {
		p.reset.Mul(p.ws, s.rows, s.h, s.hidden, s.temp, s.hidden, gemm.Epilogue{ColBias: p.inner})
		for b := range s.rows {
			candidate := s.row(b, 2, 3)
			for i, v := range s.row(b, 1, 2) {
				candidate[i] += float32(v * s.of(s.temp, b)[i])
			}
		}
	} else {
		for b := range s.rows {
			h, scaled := s.of(s.h, b), s.of(s.temp, b)
			for i, v := range s.row(b, 1, 2) {
				scaled[i] = v * h[i]
			}
		}
		p.reset.Mul(p.ws, s.rows, s.temp, s.hidden, s.gates[2*s.hidden:], s.ld, gemm.Epilogue{Accumulate: true})
	}
	for b := range s.rows {
		h, candidate := s.of(s.h, b), s.row(b, 2, 3)
		p.activate(1, candidate)
		for i, z := range s.row(b, 0, 1) {
			h[i] = float32((1-z)*candidate[i]) + float32(z*h[i])
		}
	}
}

type lstmCell struct{}

// step follows the gates i, o, f, c.
func (lstmCell) step(p *pass, s *step) {
	p.addState(s, s.h)
	for b := range s.rows {
		h, c := s.of(s.h, b), s.of(s.c, b)
		in, out, forget, candidate := s.row(b, 0, 1), s.row(b, 1, 2), s.row(b, 2, 3), s.row(b, 3, 4)
		if p.peep == nil {
			p.activate(0, s.row(b, 0, 3))
		} else {
			addProduct(in, p.peep[:s.hidden], c)
			addProduct(forget, p.peep[2*s.hidden:], c)
			p.activate(0, in)
			p.activate(0, forget)
		}
		p.activate(1, candidate)
		if p.coupled {
			for i, v := range in {
				forget[i] = 1 - v
			}
		}
		for i, f := range forget {
			c[i] = float32(f*c[i]) + float32(in[i]*candidate[i])
		}
		if p.peep != nil {
			addProduct(out, p.peep[s.hidden:], c)
			p.activate(0, out)
		}
		copy(h, c)
		p.activate(2, h)
		for i, o := range out {
			h[i] *= o
		}
	}
}

// addProduct adds x·y, element by element, to dst.
func addProduct(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i, v := range x {
		dst[i] += float32(v * y[i])
	}
}
