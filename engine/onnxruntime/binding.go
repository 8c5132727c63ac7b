package onnxruntime

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"unsafe"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/tensor"
)

// binding is what one Run at a time passes to the library. It keeps the
// OrtValues that stand for Go's tensors: a caller that uses the same tensors
// again, as servers and benchmarks do, costs one call into the library.
type binding struct {
	session *session
	values  []handle // of inputs, then outputs; the library's memory
	lent    []lent   // what values stand for
	dims    []int
	args    [8]uintptr // of the call; all of it is the library's memory
	options handle     // of a Run that can be ended early
}

// lent is the memory that an OrtValue stands for, as an address so that it is
// not kept alive: when a tensor of this type and shape has that address, it
// is the one that the value stands for.
type lent struct {
	address uintptr // 0: the value is not made of lent memory
	dtype   tensor.DType
	shape   []int64
}

func newBinding(s *session) (*binding, error) {
	n := len(s.names)
	values, err := s.engine.array(n)
	if err != nil {
		return nil, err
	}
	return &binding{session: s, values: values, lent: make([]lent, n)}, nil
}

func (b *binding) close() error {
	for i := range b.values {
		b.drop(i)
	}
	b.session.engine.library.release(releaseRunOptions, b.options)
	return b.session.engine.dealloc(addressOf(b.values))
}

// drop releases value i.
func (b *binding) drop(i int) {
	b.session.engine.library.release(releaseValue, b.values[i])
	b.values[i], b.lent[i].address = 0, 0
}

// run computes out of in; lend has the shapes of outputs whose memory Go
// gives. It keeps the tensors alive while the library uses their memory. That
// is enough: the collector does not move what is on the heap, where all that
// went through an interface is. Pinning it too would cost ONNX Runtime 6 % of
// a small model's time.
func (b *binding) run(ctx context.Context, in, out []tensor.Value, lend []shape) error {
	defer runtime.KeepAlive(in)
	for i, v := range in {
		if err := b.bindInput(i, v); err != nil {
			return err
		}
	}
	for i := range out {
		if err := b.bindOutput(i, in, out, lend); err != nil {
			return err
		}
	}
	if err := b.call(ctx, len(in)); err != nil {
		return err
	}
	for i := range out {
		if err := b.collect(i, out); err != nil {
			return err
		}
	}
	return nil
}

func (b *binding) bindInput(i int, v tensor.Value) error {
	if t, ok := v.(*tensor.Tensor); ok && t.DType() != tensor.String {
		return b.wrap(i, t)
	}
	b.drop(i)
	var err error
	b.values[i], err = b.session.engine.toLibrary(v)
	return err
}

// bindOutput lends the memory of output i, or leaves it to the library.
func (b *binding) bindOutput(i int, in, out []tensor.Value, lend []shape) error {
	slot := len(in) + i
	if lend == nil || lend[i] == nil {
		b.drop(slot)
		return nil
	}
	t, _ := out[i].(*tensor.Tensor)
	if t == nil {
		t = &tensor.Tensor{}
		out[i] = t
	}
	b.dims = b.dims[:0]
	for _, d := range lend[i] {
		if d.size < 0 {
			d.size = in[d.input].(*tensor.Tensor).Dim(d.axis)
		}
		b.dims = append(b.dims, d.size)
	}
	if _, err := tensor.Elements(b.dims); err != nil { // Reset would panic
		return err
	}
	t.Reset(b.session.outputs[i].Type.Elem, b.dims...)
	return b.wrap(slot, t)
}

// wrap makes value i stand for t's memory.
func (b *binding) wrap(i int, t *tensor.Tensor) error {
	data := unsafe.SliceData(t.Bytes())
	if t.Len() == 0 {
		data = &nothing[0]
	}
	if b.lent[i].is(data, t) {
		return nil
	}
	b.drop(i)
	l := &b.lent[i]
	l.dtype, l.shape = t.DType(), l.shape[:0]
	for _, d := range t.Shape() {
		l.shape = append(l.shape, int64(d))
	}
	e := b.session.engine
	err := e.library.call(createTensorWithDataAsOrtValue, e.memory,
		uintptr(unsafe.Pointer(data)), uintptr(len(t.Bytes())),
		uintptr(unsafe.Pointer(unsafe.SliceData(l.shape))), uintptr(len(l.shape)), uintptr(l.dtype),
		uintptr(unsafe.Pointer(&b.values[i])))
	if err == nil {
		l.address = uintptr(unsafe.Pointer(data))
	}
	return err
}

// nothing is the memory of tensors without elements: the library wants an
// address.
var nothing = new([8]byte)

func (l *lent) is(data *byte, t *tensor.Tensor) bool {
	return l.address == uintptr(unsafe.Pointer(data)) && l.dtype == t.DType() &&
		slices.EqualFunc(l.shape, t.Shape(), func(a int64, b int) bool { return a == int64(b) })
}

// call runs the session on the values.
func (b *binding) call(ctx context.Context, inputs int) error {
	s, options := b.session, handle(0)
	if ctx.Done() != nil {
		stop, err := b.endWith(ctx)
		if err != nil {
			return err
		}
		defer stop()
		options = b.options
	}
	size := unsafe.Sizeof(uintptr(0))
	names, values := addressOf(s.names), addressOf(b.values)
	b.args = [...]uintptr{s.handle, options, names, values, uintptr(inputs),
		names + uintptr(inputs)*size, uintptr(len(s.outputs)), values + uintptr(inputs)*size}
	return s.engine.library.call(run, b.args[:]...)
}

// endWith makes the Run with b's options end when ctx does, until stop.
func (b *binding) endWith(ctx context.Context) (stop func(), err error) {
	l := b.session.engine.library
	if b.options == 0 {
		if err := l.call(createRunOptions, uintptr(unsafe.Pointer(&b.options))); err != nil {
			return nil, err
		}
	}
	if err := l.call(runOptionsUnsetTerminate, b.options); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(ended)
		// Setting a flag does not fail, and the Run would merely end later.
		_ = l.call(runOptionsSetTerminate, b.options)
	})
	return func() {
		if !cancel() {
			<-ended
		}
	}, nil
}

// collect copies output i out of the library's memory, unless it was lent.
func (b *binding) collect(i int, out []tensor.Value) error {
	slot := len(b.session.inputs) + i
	if b.lent[slot].address != 0 {
		return nil
	}
	defer b.drop(slot)
	into, _ := out[i].(*tensor.Tensor)
	v, err := b.session.engine.fromLibrary(b.values[slot], into)
	if err != nil {
		return err
	}
	if s, ok := v.(*tensor.Sequence); ok && b.session.outputs[i].Type.Of != nil {
		s.Elem = *b.session.outputs[i].Type.Of
	}
	out[i] = v
	return nil
}

// alloc takes memory of the library's own, which Go's collector neither moves
// nor frees.
func (e *Engine) alloc(size int) (memory unsafe.Pointer, err error) {
	err = e.library.call(allocatorAlloc, e.allocator, uintptr(size), uintptr(unsafe.Pointer(&memory)))
	if err == nil && memory == nil && size > 0 {
		err = errors.New("ONNX Runtime is out of memory")
	}
	return memory, err
}

func (e *Engine) dealloc(address uintptr) error {
	if address == 0 {
		return nil
	}
	return e.library.call(allocatorFree, e.allocator, address)
}

// array is alloc for n zero handles; n of 0 takes one, so that there is an
// address.
func (e *Engine) array(n int) ([]handle, error) {
	memory, err := e.alloc(max(n, 1) * int(unsafe.Sizeof(handle(0))))
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInternal, err)
	}
	a := unsafe.Slice((*handle)(memory), max(n, 1))
	clear(a)
	return a[:n], nil
}

func addressOf(array []handle) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(array)))
}
