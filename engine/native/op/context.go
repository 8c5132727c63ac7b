package op

import (
	"context"
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/greenlight-dev/greenlight/tensor"
)

// Context is what one node of one running frame works in. The engine sets In
// before each run and reads Out after it; everything else persists from run
// to run of the same frame, so that memory is reused.
type Context struct {
	In  []tensor.Value // nil for an omitted optional input
	Out []tensor.Value

	// Ctx ends long loops; never nil while a kernel runs.
	Ctx context.Context

	// Captured is the frame that subgraphs find outer values in; opaque to
	// operators.
	Captured any

	// State holds what a kernel wants to keep for this frame between runs.
	State any

	// MaxBytes bounds one output tensor; 0 is no bound.
	MaxBytes int

	own     []tensor.Tensor // storage of the outputs
	buffers []*[]byte       // memory shared by plan, one for each output; nil entries are private
	scratch [][]byte
}

// Init prepares the context for a node with this many inputs and outputs.
// buffers, when given, are the planned memory of each output.
func (c *Context) Init(inputs, outputs int, buffers []*[]byte) {
	c.In = make([]tensor.Value, inputs)
	c.Out = make([]tensor.Value, outputs)
	c.own = make([]tensor.Tensor, outputs)
	c.buffers = buffers
}

// T is input i as a tensor; nil when omitted. It panics when the input is
// another kind of value, which the engine reports as the node's error.
func (c *Context) T(i int) *tensor.Tensor {
	if i >= len(c.In) || c.In[i] == nil {
		return nil
	}
	t, ok := c.In[i].(*tensor.Tensor)
	if !ok {
		panic(Errorf("input %d is %v, want a tensor", i, c.In[i].Type()))
	}
	return t
}

// Seq is input i as a sequence, with the same rules as T.
func (c *Context) Seq(i int) *tensor.Sequence {
	if i >= len(c.In) || c.In[i] == nil {
		return nil
	}
	s, ok := c.In[i].(*tensor.Sequence)
	if !ok {
		panic(Errorf("input %d is %v, want a sequence", i, c.In[i].Type()))
	}
	return s
}

// Wants says whether the node has an output i.
func (c *Context) Wants(i int) bool { return i < len(c.Out) }

// NewOut makes output i a tensor of this type and shape, in reused memory
// whose content is unspecified. The outputs a node does not have are given
// scratch memory, so kernels need not ask. Inputs never share the memory.
func (c *Context) NewOut(i int, d tensor.DType, shape ...int) *tensor.Tensor {
	if c.MaxBytes > 0 {
		c.checkSize(d, shape)
	}
	if i >= len(c.Out) {
		t := &tensor.Tensor{}
		t.Reset(d, shape...)
		return t
	}
	t := &c.own[i]
	shared := i < len(c.buffers) && c.buffers[i] != nil
	if shared {
		t.SetBuffer(*c.buffers[i])
	}
	t.Reset(d, shape...)
	if shared {
		*c.buffers[i] = t.Buffer()
	}
	c.Out[i] = t
	return t
}

func (c *Context) checkSize(d tensor.DType, shape []int) {
	size := max(d.Size(), 1)
	if d == tensor.String {
		size = int(unsafe.Sizeof(""))
	}
	bytes := uint64(size)
	for _, dim := range shape {
		if dim < 0 {
			panic(Errorf("output shape has a negative dimension (%d)", dim))
		}
		over, product := bits.Mul64(bytes, uint64(dim))
		if over != 0 || product > uint64(c.MaxBytes) {
			panic(Errorf("output would be larger than the limit of %d bytes", c.MaxBytes))
		}
		bytes = product
	}
}

// OutLike is NewOut with the shape of t.
func (c *Context) OutLike(i int, d tensor.DType, t *tensor.Tensor) *tensor.Tensor {
	return c.NewOut(i, d, t.Shape()...)
}

// ViewOut makes output i another view of src under a new shape, without
// copying. Only operators whose Def has Alias may use it, with their input 0
// as src and for output 0.
func (c *Context) ViewOut(i int, src *tensor.Tensor, shape ...int) {
	if i >= len(c.Out) {
		return
	}
	c.own[i].View(src, shape...)
	c.Out[i] = &c.own[i]
}

// Set makes output i a value that the kernel owns (a sequence, a map, a
// tensor of its own). It must not be changed after the run, nor be an input.
func (c *Context) Set(i int, v tensor.Value) {
	if i < len(c.Out) {
		c.Out[i] = v
	}
}

// Scratch is the k-th scratch slice of the context with n elements of T, of
// unspecified content, kept between runs.
func Scratch[T tensor.Element](c *Context, k, n int) []T {
	for len(c.scratch) <= k {
		c.scratch = append(c.scratch, nil)
	}
	var zero T
	size := n * int(unsafe.Sizeof(zero))
	if size == 0 {
		return nil
	}
	if cap(c.scratch[k]) < size {
		words := make([]uint64, (size+7)/8)
		c.scratch[k] = unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(c.scratch[k]))), n)
}

// State returns the context's kept state of type *S, made on first use.
func State[S any](c *Context) *S {
	s, ok := c.State.(*S)
	if !ok {
		s = new(S)
		c.State = s
	}
	return s
}

// Error is a failure that the model or its inputs cause, as opposed to a
// fault of the engine.
type Error struct{ Message string }

// Error gives the message.
func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}
