package gemm

import "math"

// Activation is an elementwise function that the epilogue applies last.
// NaN passes through all of them.
type Activation uint8

const (
	Identity  Activation = iota
	Relu                 // max(v, 0)
	Clip                 // min(max(v, Min), Max)
	LeakyRelu            // v, or Slope·v where v < 0
)

// Epilogue says what becomes of the product. The zero value is C = A·B.
//
//	C = Map(Activation(Alpha·A·B [+ C] + ColBias[j] + RowBias[i]))
type Epilogue struct {
	// Alpha scales the product; 0 stands for 1. It is multiplied into the
	// varying operand, so that every path rounds alike.
	Alpha float32
	// Accumulate starts every sum from the value in C.
	Accumulate bool
	// ColBias holds n values, one for each column, or is nil.
	ColBias []float32
	// RowBias holds m values, one for each row, or is nil.
	RowBias []float32

	Activation Activation
	Min, Max   float32 // of Clip
	Slope      float32 // of LeakyRelu

	// Map, if not nil, is called with every piece of a finished row, while it is
	// still in the cache. How rows are cut depends on the shapes, so Map must
	// be elementwise.
	Map func(piece []float32)
}

func (ep *Epilogue) alpha() float32 {
	if ep.Alpha == 0 {
		return 1
	}
	return ep.Alpha
}

// changes tells whether tiles need the finishing pass.
func (ep *Epilogue) changes() bool {
	return ep.ColBias != nil || ep.RowBias != nil || ep.Activation != Identity
}

func (ep *Epilogue) check(m, n int) {
	need("the row bias", ep.RowBias, ep.RowBias != nil, m)
	need("the column bias", ep.ColBias, ep.ColBias != nil, n)
}

// finishing returns the pass's argument with everything set but the tile.
func (ep *Epilogue) finishing() finishing {
	f := finishing{slope: 1, lo: math.Float32frombits(0xff800000), hi: math.Float32frombits(0x7f800000)} // ±Inf
	switch ep.Activation {
	case Relu:
		f.lo = 0
	case Clip:
		f.lo, f.hi = ep.Min, ep.Max
	case LeakyRelu:
		f.slope = ep.Slope
	}
	return f
}
