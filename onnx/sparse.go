package onnx

import (
	"errors"
	"fmt"

	"github.com/greenlight-dev/greenlight/tensor"
)

// sparseTensor reads a SparseTensorProto and makes it dense. Its name is that
// of its values.
func (d *decoder) sparseTensor(data []byte) (name string, t *tensor.Tensor, err error) {
	var values, indices *tensor.Tensor
	var dims []int64
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			w.message("values", func(b []byte) (err error) {
				name, values, err = d.namedTensor(b)
				return err
			})
		case 2:
			w.message("indices", d.tensorInto(&indices, d.namedTensor))
		case 3:
			dims = w.ints("dims", dims)
		}
	}
	if w.err != nil {
		return name, nil, fmt.Errorf("sparse tensor: %w", w.err)
	}
	if t, err = d.dense(dims, values, indices); err != nil {
		return name, nil, fmt.Errorf("sparse tensor: %w", err)
	}
	return name, t, nil
}

func (d *decoder) dense(dims []int64, values, indices *tensor.Tensor) (*tensor.Tensor, error) {
	if values == nil || indices == nil {
		return nil, errors.New("values or indices are missing")
	}
	if len(dims) == 0 || len(dims) > d.limits.Rank {
		return nil, fmt.Errorf("it has %d dimensions", len(dims))
	}
	shape, n, err := shapeOf(dims)
	if err != nil {
		return nil, err
	}
	at, err := linearIndices(shape, n, values, indices)
	if err != nil {
		return nil, err
	}
	if err := d.reserveDense(n, values.DType()); err != nil {
		return nil, err
	}
	t := tensor.New(values.DType(), shape...)
	for i, index := range at {
		if t.DType() == tensor.String {
			t.Strings()[index] = values.Strings()[i]
			continue
		}
		size := t.DType().Size()
		copy(t.Bytes()[index*size:], values.Bytes()[i*size:(i+1)*size])
	}
	return t, nil
}

func (d *decoder) reserveDense(elements int, t tensor.DType) error {
	size := int64(t.Size())
	if t == tensor.String {
		size = 16
	}
	d.sparseBytes += int64(elements) * size
	if d.sparseBytes > d.limits.SparseBytes {
		return fmt.Errorf("sparse tensors take more than the %d bytes allowed once dense", d.limits.SparseBytes)
	}
	return d.reserve(int64(elements) * size)
}

// linearIndices checks the places of the values and gives each as an index
// into the dense elements. Indices are [NNZ], linear already, or [NNZ, rank].
func linearIndices(shape []int, elements int, values, indices *tensor.Tensor) ([]int, error) {
	nnz := values.Len()
	switch {
	case values.Rank() != 1:
		return nil, fmt.Errorf("its values have shape %v, not one dimension", values.Shape())
	case indices.DType() != tensor.Int64:
		return nil, fmt.Errorf("its indices are %v, not int64", indices.DType())
	case indices.Rank() == 1 && indices.Len() == nnz:
		return checkLinear(tensor.Data[int64](indices), elements)
	case indices.Rank() == 2 && indices.Dim(0) == nnz && indices.Dim(1) == len(shape):
		return linearize(tensor.Data[int64](indices), shape)
	}
	return nil, fmt.Errorf("its indices have shape %v, which does not fit %d values of shape %v", indices.Shape(), nnz, shape)
}

func checkLinear(indices []int64, elements int) ([]int, error) {
	at := make([]int, len(indices))
	for i, index := range indices {
		if index < 0 || index >= int64(elements) {
			return nil, fmt.Errorf("index %d is out of range: the tensor has %d elements", index, elements)
		}
		at[i] = int(index)
	}
	return at, nil
}

func linearize(indices []int64, shape []int) ([]int, error) {
	at := make([]int, len(indices)/len(shape))
	for i := range at {
		place := indices[i*len(shape) : (i+1)*len(shape)]
		for axis, index := range place {
			if index < 0 || index >= int64(shape[axis]) {
				return nil, fmt.Errorf("index %v is out of range of the shape %v", place, shape)
			}
			at[i] = at[i]*shape[axis] + int(index)
		}
	}
	return at, nil
}
