package arrange

import "math"

// twister is the generator MT19937 (Matsumoto and Nishimura, "Mersenne
// Twister", ACM TOMACS 8, 1998) with the same conversions to floats as NumPy's
// RandomState, so that a seed gives the numbers that the ONNX reference
// implementation gives.
type twister struct {
	state [624]uint32
	next  int
	spare float64 // the second number of a pair from normal
	has   bool
}

func (t *twister) seed(s uint32) {
	for i := range t.state {
		t.state[i] = s
		s = 1812433253*(s^s>>30) + uint32(i) + 1
	}
	t.next, t.has = len(t.state), false
}

func (t *twister) refill() {
	const n, m = len(t.state), 397
	for i := range t.state {
		y := t.state[i]&0x80000000 | t.state[(i+1)%n]&0x7fffffff
		v := t.state[(i+m)%n] ^ y>>1
		if y&1 != 0 {
			v ^= 0x9908b0df
		}
		t.state[i] = v
	}
	t.next = 0
}

func (t *twister) uint32() uint32 {
	if t.next >= len(t.state) {
		t.refill()
	}
	y := t.state[t.next]
	t.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// uniform is a number in [0, 1) with 53 random bits.
func (t *twister) uniform() float64 {
	a, b := t.uint32()>>5, t.uint32()>>6
	return (float64(a)*67108864 + float64(b)) / 9007199254740992
}

// normal is a standard normal number, by Marsaglia's polar method.
func (t *twister) normal() float64 {
	if t.has {
		t.has = false
		return t.spare
	}
	for {
		x, y := 2*t.uniform()-1, 2*t.uniform()-1
		if r := x*x + y*y; r < 1 && r != 0 {
			f := math.Sqrt(-2 * math.Log(r) / r)
			t.spare, t.has = f*x, true
			return f * y
		}
	}
}
