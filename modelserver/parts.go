package modelserver

import (
	"context"
	"fmt"
	"slices"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/tensor"
)

// parts is the memory for computing a batch a few rows at a time, for models
// exported with a fixed batch.
type parts struct {
	views   []tensor.Tensor // rows of the inputs
	values  []tensor.Value  // the views
	outputs []tensor.Value  // of one part
}

func newParts(inputs, outputs int) *parts {
	p := &parts{
		views:   make([]tensor.Tensor, inputs),
		values:  make([]tensor.Value, inputs),
		outputs: make([]tensor.Value, outputs),
	}
	for i := range p.views {
		p.values[i] = &p.views[i]
	}
	return p
}

// runParts computes the batch in parts of size rows, the last one filled up
// with copies of the last row, and collects the outputs. It says how many
// rows those have.
func (b *Batch) runParts(ctx context.Context, s engine.Session, size int) (computed int, err error) {
	if b.parts == nil {
		b.parts = newParts(len(b.inputs), len(b.outputs))
	}
	computed = (b.rows + size - 1) / size * size
	b.pad(computed)
	defer b.setRows(b.rows)
	for from := 0; from < computed; from += size {
		for i := range b.inputs {
			b.parts.views[i].ViewRows(&b.inputs[i], from, from+size)
		}
		if err := s.Run(ctx, b.parts.values, b.parts.outputs); err != nil {
			return 0, err
		}
		for i, part := range b.parts.outputs {
			if b.outputs[i], err = collect(b.outputs[i], part, from, size, computed); err != nil {
				return 0, fmt.Errorf("output %q: %w", b.schema.outputs.infos[i].Name, err)
			}
		}
	}
	return computed, nil
}

// pad fills the inputs up to n rows.
func (b *Batch) pad(n int) {
	b.setRows(n)
	for i := range b.inputs {
		for row := b.rows; row < n; row++ {
			copyRows(&b.inputs[i], row, &b.inputs[i], b.rows-1, 1)
		}
	}
}

// collect puts a part's output at rows from… of an output of total rows,
// which it makes, in dst's memory, when from is 0.
func collect(dst, part tensor.Value, from, size, total int) (tensor.Value, error) {
	if rowsOf(part) != size {
		return nil, greenlight.Errorf(greenlight.CodeUnsupported, "%v does not have a row for each of %d", part.Type(), size)
	}
	switch part := part.(type) {
	case *tensor.Tensor:
		if part.Rank() == 0 {
			return nil, greenlight.Errorf(greenlight.CodeUnsupported, "%v has no rows", part.Type())
		}
		return collectTensor(dst, part, from, size, total)
	case *tensor.Sequence:
		all, ok := dst.(*tensor.Sequence)
		if from == 0 || !ok {
			all = &tensor.Sequence{Elem: part.Elem}
		}
		for _, item := range part.Items {
			all.Items = append(all.Items, item.CloneValue())
		}
		return all, nil
	}
	return nil, greenlight.Errorf(greenlight.CodeUnsupported, "%v has no rows", part.Type())
}

func collectTensor(dst tensor.Value, part *tensor.Tensor, from, size, total int) (tensor.Value, error) {
	all, ok := dst.(*tensor.Tensor)
	if !ok {
		all = &tensor.Tensor{}
	}
	if from == 0 {
		shape := slices.Clone(part.Shape())
		shape[0] = total
		all.Reset(part.DType(), shape...)
	}
	if all.DType() != part.DType() || !slices.Equal(all.Shape()[1:], part.Shape()[1:]) {
		return nil, fmt.Errorf("rows from %d on are %v, the first were %v", from, part, all)
	}
	copyRows(all, from, part, 0, size)
	return all, nil
}

// copyRows copies n rows of src from row from to row at of dst, which has the
// same type and row shape.
func copyRows(dst *tensor.Tensor, at int, src *tensor.Tensor, from, n int) {
	width := rowWidth(src)
	if src.DType() == tensor.String {
		copy(dst.Strings()[at*width:], src.Strings()[from*width:(from+n)*width])
		return
	}
	bytes := width * src.DType().Size()
	copy(dst.Bytes()[at*bytes:], src.Bytes()[from*bytes:(from+n)*bytes])
}
