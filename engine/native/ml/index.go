package ml

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// index finds elements in a list of keys: position or, for what is not among
// them, the number of keys.
type index interface {
	find(dst []int32, x *tensor.Tensor)
	keyType() tensor.DType
	len() int
}

// keyIndex is an index over keys of one type. NaN is a key like any other.
type keyIndex[K comparable] struct {
	at    map[K]int32
	nan   int32
	dtype tensor.DType
	count int
	data  func(*tensor.Tensor) []K
}

// newIndex makes an index; of repeated keys the last one counts.
func newIndex[K comparable](keys []K, d tensor.DType, data func(*tensor.Tensor) []K) index {
	k := &keyIndex[K]{at: make(map[K]int32, len(keys)), nan: int32(len(keys)), dtype: d, count: len(keys), data: data}
	for i, key := range keys {
		if key != key {
			k.nan = int32(i)
		} else {
			k.at[key] = int32(i)
		}
	}
	return k
}

func (k *keyIndex[K]) find(dst []int32, x *tensor.Tensor) {
	for i, v := range k.data(x) {
		at, ok := k.at[v]
		switch {
		case ok:
		case v != v:
			at = k.nan
		default:
			at = int32(k.count)
		}
		dst[i] = at
	}
}

func (k *keyIndex[K]) keyType() tensor.DType { return k.dtype }
func (k *keyIndex[K]) len() int              { return k.count }

// indexOf makes an index over the elements of a tensor.
func indexOf(t *tensor.Tensor) (index, error) {
	if t.Len() > math.MaxInt32-1 {
		return nil, op.Errorf("%d keys are too many", t.Len())
	}
	switch t.DType() {
	case tensor.String:
		return newIndex(t.Strings(), tensor.String, (*tensor.Tensor).Strings), nil
	case tensor.Int64:
		return indexNumbers[int64](t), nil
	case tensor.Int32:
		return indexNumbers[int32](t), nil
	case tensor.Int16:
		return indexNumbers[int16](t), nil
	case tensor.Float32:
		return indexNumbers[float32](t), nil
	case tensor.Float64:
		return indexNumbers[float64](t), nil
	}
	return nil, op.Errorf("keys of type %v are not supported", t.DType())
}

func indexNumbers[K interface {
	comparable
	tensor.Element
}](t *tensor.Tensor) index {
	return newIndex(tensor.Data[K](t), t.DType(), tensor.Data[K])
}

// pick writes values[at[i]] to out; at is within values.
func pick(out, values *tensor.Tensor, at []int32) {
	switch {
	case values.DType() == tensor.String:
		pickFrom(out.Strings(), values.Strings(), at)
	case values.DType().Size() == 2:
		pickFrom(tensor.Data[uint16](out), tensor.Data[uint16](values), at)
	case values.DType().Size() == 4:
		pickFrom(tensor.Data[uint32](out), tensor.Data[uint32](values), at)
	case values.DType().Size() == 8:
		pickFrom(tensor.Data[uint64](out), tensor.Data[uint64](values), at)
	}
}

func pickFrom[T any](dst, values []T, at []int32) {
	for i, a := range at {
		dst[i] = values[a]
	}
}
