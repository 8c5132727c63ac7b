package signal

import (
	"math/cmplx"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// dft is DFT: the transform along one axis of a tensor whose last dimension
// holds the real part, or the real and the imaginary.
type dft struct {
	axis      int // of an attribute
	axisInput bool
	inverse   bool
	onesided  bool
}

func buildDFT(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &dft{axis: -2, axisInput: n.Opset >= 20, inverse: a.Bool("inverse", false), onesided: a.Bool("onesided", false)}
	if !k.axisInput {
		k.axis = a.Int("axis", 1)
	}
	return k, a.Err()
}

type dftState struct {
	transform transform
	line      []complex128
	shape     []int
}

// length makes room for lines of n elements.
func (s *dftState) length(n int) error {
	if n < 1 || n > maxLength {
		return op.Errorf("a transform of length %d is not possible; the limit is %d", n, maxLength)
	}
	s.transform.setLength(n)
	if cap(s.line) < n {
		s.line = make([]complex128, n)
	}
	s.line = s.line[:n]
	return nil
}

// dftSize is the extent of one run: outer×in×inner lines of parts numbers
// become outer×out×inner of outParts.
type dftSize struct {
	outer, in, inner, parts int
	n, out, outParts        int
}

// Run transforms input 0. Given as one half, a spectrum is completed by its
// conjugate symmetry.
func (k *dft) Run(c *op.Context) error {
	x, s := c.T(0), op.State[dftState](c)
	axis, err := k.findAxis(c, x)
	if err != nil {
		return err
	}
	d := dftSize{
		outer: op.Product(x.Shape()[:axis]), in: x.Dim(axis),
		inner: op.Product(x.Shape()[axis+1 : x.Rank()-1]), parts: x.Dim(-1), outParts: 2,
	}
	d.n = d.in
	if k.inverse && k.onesided {
		d.n, d.outParts = 2*(d.in-1), 1
	}
	if d.n, err = scalar(c, 1, d.n); err != nil {
		return err
	}
	d.out = d.n
	if k.onesided && !k.inverse {
		d.out = d.n/2 + 1
	}
	s.shape = append(s.shape[:0], x.Shape()...)
	if d.n < 1 || d.n > maxLength {
		return op.Errorf("a transform of length %d is not possible; the limit is %d", d.n, maxLength)
	}
	s.shape[axis], s.shape[x.Rank()-1] = d.out, d.outParts
	out := c.NewOut(0, x.DType(), s.shape...)
	if err := s.length(d.n); err != nil {
		return err
	}
	if x.DType() == tensor.Float64 {
		return transformLines[float64](k, c, s, d, out, x)
	}
	return transformLines[float32](k, c, s, d, out, x)
}

func (k *dft) findAxis(c *op.Context, x *tensor.Tensor) (int, error) {
	axis := k.axis
	if k.axisInput {
		var err error
		if axis, err = scalar(c, 2, -2); err != nil {
			return 0, err
		}
	}
	if x.Rank() < 2 || x.Dim(-1) < 1 || x.Dim(-1) > 2 {
		return 0, op.Errorf("the last dimension must hold 1 or 2 numbers, a real and an imaginary part, got %v", x)
	}
	at, err := op.Axis(axis, x.Rank())
	if err == nil && at == x.Rank()-1 {
		err = op.Errorf("axis %d is that of the real and imaginary parts", axis)
	}
	return at, err
}

func transformLines[T numeric.Float](k *dft, c *op.Context, s *dftState, d dftSize, out, x *tensor.Tensor) error {
	src, dst := numeric.Read[T](c, 0, x), numeric.Target[T](c, 1, out)
	for l := range d.outer * d.inner {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		o, i := l/d.inner, l%d.inner
		readLine(s.line, src[(o*d.in*d.inner+i)*d.parts:], min(d.in, d.n), d.inner, d.parts)
		switch {
		case !k.inverse:
			s.transform.forward(s.line)
		case k.onesided:
			mirror(s.line)
			fallthrough
		default:
			s.transform.inverse(s.line)
		}
		writeLine(dst[(o*d.out*d.inner+i)*d.outParts:], s.line[:d.out], d.inner, d.outParts)
	}
	numeric.Store(c, 1, out, dst)
	return nil
}

// readLine reads n elements, each step×parts numbers from the one before, and
// fills up with zeros.
func readLine[T numeric.Float](line []complex128, src []T, n, step, parts int) {
	clear(line[n:])
	for i := range line[:n] {
		p := src[i*step*parts:]
		line[i] = complex(float64(p[0]), 0)
		if parts == 2 {
			line[i] = complex(float64(p[0]), float64(p[1]))
		}
	}
}

func writeLine[T numeric.Float](dst []T, line []complex128, step, parts int) {
	for i, v := range line {
		p := dst[i*step*parts:]
		p[0] = T(real(v))
		if parts == 2 {
			p[1] = T(imag(v))
		}
	}
}

// mirror makes the upper half of a spectrum that of a real signal.
func mirror(x []complex128) {
	n := len(x)
	x[0] = complex(real(x[0]), 0)
	if n%2 == 0 {
		x[n/2] = complex(real(x[n/2]), 0)
	}
	for k := 1; k < (n+1)/2; k++ {
		x[n-k] = cmplx.Conj(x[k])
	}
}

// stft is STFT: transforms of overlapping frames of a signal, each weighted
// by a window.
type stft struct{ onesided bool }

func buildSTFT(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	return &stft{a.Bool("onesided", true)}, a.Err()
}

// Run transforms the signal [N, length, 1 or 2] into [N, frames, bins, 2].
func (k *stft) Run(c *op.Context) error {
	x, window, s := c.T(0), c.T(2), op.State[dftState](c)
	parts := 1
	if x.Rank() == 3 {
		parts = x.Dim(2)
	}
	if x.Rank() < 2 || x.Rank() > 3 || parts < 1 || parts > 2 {
		return op.Errorf("the signal must be [N, length, 1 or 2], got %v", x)
	}
	step, err := scalar(c, 1, 1)
	if err != nil {
		return err
	}
	def := x.Dim(1)
	if window != nil {
		def = window.Len()
	}
	n, err := scalar(c, 3, def)
	switch {
	case err != nil:
		return err
	case step < 1 || n < 1 || n > x.Dim(1):
		return op.Errorf("frames of %d at steps of %d do not fit a signal of %d", n, step, x.Dim(1))
	case window != nil && window.Len() != n:
		return op.Errorf("the window has %d elements, the frames %d", window.Len(), n)
	}
	if err := s.length(n); err != nil {
		return err
	}
	bins := n
	if k.onesided {
		bins = n/2 + 1
	}
	out := c.NewOut(0, x.DType(), x.Dim(0), (x.Dim(1)-n)/step+1, bins, 2)
	if x.DType() == tensor.Float64 {
		return transformFrames[float64](c, s, out, x, window, step, parts)
	}
	return transformFrames[float32](c, s, out, x, window, step, parts)
}

func transformFrames[T numeric.Float](c *op.Context, s *dftState, out, x, window *tensor.Tensor, step, parts int) error {
	src, dst := numeric.Read[T](c, 0, x), numeric.Target[T](c, 1, out)
	weights := numeric.Read[T](c, 2, window)
	frames, bins, length := out.Dim(1), out.Dim(2), x.Dim(1)
	for f := range out.Dim(0) * frames {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		at := f/frames*length + f%frames*step
		readLine(s.line, src[at*parts:], len(s.line), 1, parts)
		for i, w := range weights {
			s.line[i] *= complex(float64(w), 0)
		}
		s.transform.forward(s.line)
		writeLine(dst[f*bins*2:], s.line[:bins], 1, 2)
	}
	numeric.Store(c, 1, out, dst)
	return nil
}
