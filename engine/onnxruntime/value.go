package onnxruntime

import (
	"errors"
	"fmt"
	"unsafe"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/tensor"
)

// toLibrary makes an OrtValue that shares no memory with v.
func (e *Engine) toLibrary(v tensor.Value) (handle, error) {
	switch v := v.(type) {
	case *tensor.Tensor:
		return e.copyTensor(v)
	case *tensor.Sequence:
		return e.compose(typeSequence, v.Items...)
	case *tensor.Map:
		keys := tensor.From(v.IntKeys, len(v.IntKeys))
		if v.StringKeys != nil {
			keys = tensor.FromStrings(v.StringKeys, len(v.StringKeys))
		}
		return e.compose(typeMap, keys, v.Values)
	}
	return 0, greenlight.Errorf(greenlight.CodeUnsupported, "the ONNX Runtime engine does not take %v", v.Type())
}

// compose makes a sequence of items, or a map of a tensor of keys and one of
// values. The library copies the parts' references, so they are released.
func (e *Engine) compose(kind uintptr, items ...tensor.Value) (h handle, err error) {
	parts := make([]handle, 0, len(items)+1)
	defer func() {
		for _, p := range parts {
			e.library.release(releaseValue, p)
		}
	}()
	for _, item := range items {
		p, err := e.toLibrary(item)
		if err != nil {
			return 0, err
		}
		parts = append(parts, p)
	}
	err = e.library.call(createValue, uintptr(unsafe.Pointer(unsafe.SliceData(parts))), uintptr(len(parts)), kind, uintptr(unsafe.Pointer(&h)))
	return h, err
}

func (e *Engine) copyTensor(t *tensor.Tensor) (h handle, err error) {
	l := e.library
	shape := make([]int64, t.Rank(), t.Rank()+1)
	for i := range shape {
		shape[i] = int64(t.Dim(i))
	}
	err = l.call(createTensorAsOrtValue, e.allocator, uintptr(unsafe.Pointer(unsafe.SliceData(shape))),
		uintptr(len(shape)), uintptr(t.DType()), uintptr(unsafe.Pointer(&h)))
	if err != nil {
		return 0, err
	}
	if t.DType() == tensor.String {
		err = l.fillStrings(h, t.Strings())
	} else {
		err = l.fillBytes(h, t.Bytes())
	}
	if err != nil {
		l.release(releaseValue, h)
		return 0, err
	}
	return h, nil
}

// fillStrings sets a text tensor's elements one by one: the call for all of
// them ends each at its first NUL.
func (l *library) fillStrings(h handle, elements []string) error {
	var buffer *byte
	for i, s := range elements {
		err := l.call(getResizedStringTensorElementBuffer, h, uintptr(i), uintptr(len(s)), uintptr(unsafe.Pointer(&buffer)))
		if err != nil {
			return err
		}
		copy(unsafe.Slice(buffer, len(s)), s)
	}
	return nil
}

func (l *library) fillBytes(h handle, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	var buffer *byte
	if err := l.call(getTensorMutableData, h, uintptr(unsafe.Pointer(&buffer))); err != nil {
		return err
	}
	copy(unsafe.Slice(buffer, len(data)), data)
	return nil
}

// fromLibrary copies an OrtValue, a tensor into the memory of into if there
// is any.
func (e *Engine) fromLibrary(h handle, into *tensor.Tensor) (tensor.Value, error) {
	if h == 0 {
		return nil, errors.New("the output is missing")
	}
	var kind uint32
	if err := e.library.call(getValueType, h, uintptr(unsafe.Pointer(&kind))); err != nil {
		return nil, err
	}
	switch kind {
	case typeTensor:
		if into == nil {
			into = &tensor.Tensor{}
		}
		return into, e.readTensor(h, into)
	case typeSequence:
		items, err := e.parts(h)
		return &tensor.Sequence{Items: items}, err
	case typeMap:
		return e.readMap(h)
	}
	return nil, greenlight.Errorf(greenlight.CodeUnsupported, "the ONNX Runtime engine does not read values of ONNXType %d", kind)
}

// parts copies the items of a sequence, or a map's keys and values.
func (e *Engine) parts(h handle) ([]tensor.Value, error) {
	l := e.library
	var n uintptr
	if err := l.call(getValueCount, h, uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, err
	}
	items := make([]tensor.Value, n)
	for i := range items {
		var part handle
		if err := l.call(getValue, h, uintptr(i), e.allocator, uintptr(unsafe.Pointer(&part))); err != nil {
			return nil, err
		}
		v, err := e.fromLibrary(part, nil)
		l.release(releaseValue, part)
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i, err)
		}
		items[i] = v
	}
	return items, nil
}

func (e *Engine) readMap(h handle) (tensor.Value, error) {
	parts, err := e.parts(h)
	if err != nil {
		return nil, err
	}
	if len(parts) != 2 {
		return nil, fmt.Errorf("a map has %d parts, not keys and values", len(parts))
	}
	keys, ok := parts[0].(*tensor.Tensor)
	values, good := parts[1].(*tensor.Tensor)
	switch {
	case ok && good && keys.DType() == tensor.String:
		return &tensor.Map{StringKeys: keys.Strings(), Values: values}, nil
	case ok && good && keys.DType() == tensor.Int64:
		return &tensor.Map{IntKeys: tensor.Data[int64](keys), Values: values}, nil
	}
	return nil, greenlight.Errorf(greenlight.CodeUnsupported, "the ONNX Runtime engine does not read %v to %v", parts[0].Type(), parts[1].Type())
}

// readTensor copies a tensor into t.
func (e *Engine) readTensor(h handle, t *tensor.Tensor) error {
	l := e.library
	dtype, shape, err := l.typeOf(h)
	if err != nil {
		return err
	}
	if !dtype.Valid() || subByte(dtype) {
		return greenlight.Errorf(greenlight.CodeUnsupported, "the ONNX Runtime engine does not pass %v", dtype)
	}
	if _, err := tensor.Elements(shape); err != nil {
		return err
	}
	t.Reset(dtype, shape...)
	if t.Len() == 0 {
		return nil
	}
	if dtype == tensor.String {
		return l.readStrings(h, t.Strings())
	}
	var data *byte
	if err := l.call(getTensorMutableData, h, uintptr(unsafe.Pointer(&data))); err != nil {
		return err
	}
	copy(t.Bytes(), unsafe.Slice(data, len(t.Bytes())))
	return nil
}

func (l *library) typeOf(h handle) (tensor.DType, []int, error) {
	var info handle
	if err := l.call(getTensorTypeAndShape, h, uintptr(unsafe.Pointer(&info))); err != nil {
		return 0, nil, err
	}
	defer l.release(releaseTensorTypeAndShapeInfo, info)
	var dtype uint32
	if err := l.call(getTensorElementType, info, uintptr(unsafe.Pointer(&dtype))); err != nil {
		return 0, nil, err
	}
	var rank uintptr
	if err := l.call(getDimensionsCount, info, uintptr(unsafe.Pointer(&rank))); err != nil {
		return 0, nil, err
	}
	dims := make([]int64, rank, rank+1)
	if err := l.call(getDimensions, info, uintptr(unsafe.Pointer(unsafe.SliceData(dims))), rank); err != nil {
		return 0, nil, err
	}
	shape := make([]int, rank)
	for i, d := range dims {
		shape[i] = int(d)
	}
	return tensor.DType(dtype), shape, nil
}

// readStrings copies the elements of a text tensor, which has some.
func (l *library) readStrings(h handle, elements []string) error {
	var size uintptr
	if err := l.call(getStringTensorDataLength, h, uintptr(unsafe.Pointer(&size))); err != nil {
		return err
	}
	text, starts := make([]byte, size+1), make([]uintptr, len(elements))
	err := l.call(getStringTensorContent, h, uintptr(unsafe.Pointer(&text[0])), size,
		uintptr(unsafe.Pointer(&starts[0])), uintptr(len(starts)))
	if err != nil {
		return err
	}
	whole := string(text[:size])
	for i := range elements {
		end := size
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		elements[i] = whole[starts[i]:end]
	}
	return nil
}
