package elementwise

import "math"

// Erf and Gelu have no short formula, so for float32 they are expanded into a
// Taylor series around the nearest of tabulated points. The derivatives are
// known exactly: a Gaussian times Hermite polynomials.

// expansionSteps is the number of points for each unit.
const expansionSteps = 32

// erfEnd is where erf has become 1 in float32; normalEnd is where the
// distribution function of the normal distribution has become 1, and where
// its other end is left to a slower function.
const (
	erfEnd    = 4
	normalEnd = 6
)

// expansion holds the coefficients of a series around one point.
type expansion struct {
	point float32
	c     [5]float32
}

func (e *expansion) at(x float32) float32 {
	h := x - e.point
	return e.c[0] + h*(e.c[1]+h*(e.c[2]+h*(e.c[3]+h*e.c[4])))
}

var erfTable = func() (t [erfEnd*expansionSteps + 1]expansion) {
	for i := range t {
		x := float64(i) / expansionSteps
		d := 2 / math.SqrtPi * math.Exp(-x*x)
		t[i] = expand(x, math.Erf(x), d, -d*x, d*(2*x*x-1)/3, d*x*(3-2*x*x)/6)
	}
	return t
}()

// normalTable expands the distribution function of the normal distribution
// from -normalEnd to normalEnd.
var normalTable = func() (t [2*normalEnd*expansionSteps + 1]expansion) {
	for i := range t {
		x := float64(i)/expansionSteps - normalEnd
		d := math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
		t[i] = expand(x, math.Erfc(-x/math.Sqrt2)/2, d, -d*x/2, d*(x*x-1)/6, d*x*(3-x*x)/24)
	}
	return t
}()

func expand(x float64, c ...float64) expansion {
	e := expansion{point: float32(x)}
	for i, v := range c {
		e.c[i] = float32(v)
	}
	return e
}

// erfRow is erf within 2 units in the last place.
func erfRow(dst, src []float32) {
	const signBit = 1 << 31
	for i, v := range src[:len(dst)] {
		bits := math.Float32bits(v)
		sign := bits & signBit
		a := math.Float32frombits(bits ^ sign)
		y := float32(1)
		switch {
		case a < erfEnd:
			y = erfTable[int32(a*expansionSteps+0.5)].at(a)
		case a != a:
			y = a
		}
		dst[i] = math.Float32frombits(math.Float32bits(y) | sign)
	}
}

// geluRow is x times the distribution function of the normal distribution.
func geluRow(dst, src []float32) {
	for i, v := range src[:len(dst)] {
		switch {
		case v >= normalEnd:
		case v > -normalEnd:
			v *= normalTable[int32((v+normalEnd)*expansionSteps+0.5)].at(v)
		default:
			v = float32(gelu(float64(v)))
		}
		dst[i] = v
	}
}
