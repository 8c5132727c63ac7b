package reduce

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// softmax is Softmax, LogSoftmax or Hardmax. Since opset 13 it works along
// one axis; before, on the matrix that the input makes when it is split at
// the axis, so along all dimensions from there on.
type softmax struct {
	axis    int
	flatten bool
	kind    softmaxKind
}

type softmaxKind uint8

const (
	plain softmaxKind = iota
	logged
	hard
)

var softmaxKinds = map[string]softmaxKind{"Softmax": plain, "LogSoftmax": logged, "Hardmax": hard}

func buildSoftmax(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &softmax{flatten: n.Opset < 13, kind: softmaxKinds[n.Op]}
	if k.flatten {
		k.axis = a.Int("axis", 1)
	} else {
		k.axis = a.Int("axis", -1)
	}
	return k, a.Err()
}

// split views the input as outer×n×inner, n being what sums to one.
func (k *softmax) split(shape []int) (outer, n, inner int, err error) {
	if k.flatten && k.axis == len(shape) {
		return op.Product(shape), 1, 1, nil
	}
	axis, err := op.Axis(k.axis, len(shape))
	if err != nil {
		return 0, 0, 0, err
	}
	outer, n, inner = along(shape, axis)
	if k.flatten {
		n, inner = n*inner, 1
	}
	return outer, n, inner, nil
}

// Run normalises input 0.
func (k *softmax) Run(c *op.Context) error {
	x := c.T(0)
	outer, n, inner, err := k.split(x.Shape())
	if err != nil {
		return err
	}
	out := c.OutLike(0, x.DType(), x)
	if x.Len() == 0 {
		return nil
	}
	if x.DType() == tensor.Float64 {
		softmaxBlocks(k.kind, c, tensor.Data[float64](out), tensor.Data[float64](x), outer, n, inner)
		return nil
	}
	dst := numeric.Target[float32](c, 1, out)
	softmaxBlocks(k.kind, c, dst, op.Float32s(c, 0, x), outer, n, inner)
	numeric.Store(c, 1, out, dst)
	return nil
}

func softmaxBlocks[T float](kind softmaxKind, c *op.Context, dst, x []T, outer, n, inner int) {
	switch size := n * inner; {
	case kind == hard:
		for o := range outer {
			hardmaxBlock(dst[o*size:(o+1)*size], x[o*size:(o+1)*size], n, inner)
		}
	case inner == 1:
		const together = 2048 // elements that stay in the nearest cache
		rows := max(1, together/max(n, 1))
		for o := 0; o < outer; o += rows {
			end := min(o+rows, outer) * n
			softmaxRows(kind, dst[o*n:end], x[o*n:end], n)
		}
	default:
		top, total := op.Scratch[T](c, 2, inner), op.Scratch[float64](c, 3, inner)
		for o := range outer {
			softmaxColumns(kind, dst[o*size:(o+1)*size], x[o*size:(o+1)*size], top, total)
		}
	}
}

func lowest[T float]() T { return T(math.Inf(-1)) }

// softmaxRows serves rows of n elements. Each is shifted by its largest
// element, so that no exponential overflows.
func softmaxRows[T float](kind softmaxKind, dst, x []T, n int) {
	for at := 0; at < len(x); at += n {
		top := rowMax(lowest[T](), x[at:at+n])
		d := dst[at : at+n]
		for i, v := range x[at : at+n] {
			d[i] = v - top
		}
	}
	numeric.Exp(dst)
	for at := 0; at < len(x); at += n {
		d, s := dst[at:at+n], x[at:at+n]
		total := rowSum[float64](d)
		if kind == logged {
			shift := float64(rowMax(lowest[T](), s)) + math.Log(total)
			for i, v := range s {
				d[i] = T(float64(v) - shift)
			}
			continue
		}
		scale := 1 / total
		for i, v := range d {
			d[i] = T(float64(v) * scale)
		}
	}
}

// softmaxColumns does what softmaxRows does, for each column of a matrix as
// wide as top and total, which are scratch.
func softmaxColumns[T float](kind softmaxKind, dst, x []T, top []T, total []float64) {
	w := len(top)
	fill(top, lowest[T]())
	foldColumns(maximum, top, x)
	for at := 0; at < len(x); at += w {
		d := dst[at : at+w]
		for j, v := range x[at : at+w] {
			d[j] = v - top[j]
		}
	}
	numeric.Exp(dst)
	clear(total)
	foldColumns(sum, total, dst)
	for j, v := range total {
		if total[j] = 1 / v; kind == logged {
			total[j] = float64(top[j]) + math.Log(v)
		}
	}
	for at := 0; at < len(x); at += w {
		d, s := dst[at:at+w], x[at:at+w]
		for j := range d {
			if kind == logged {
				d[j] = T(float64(s[j]) - total[j])
			} else {
				d[j] = T(float64(d[j]) * total[j])
			}
		}
	}
}

// hardmaxBlock writes 1 where each column's first maximum stands, else 0.
func hardmaxBlock[T float](dst, x []T, n, inner int) {
	clear(dst)
	for j := range inner {
		best := j
		for i := 1; i < n; i++ {
			if at := i*inner + j; beats(x[at], x[best], false, false) {
				best = at
			}
		}
		dst[best] = 1
	}
}
