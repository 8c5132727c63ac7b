package modelserver

import (
	"fmt"

	"github.com/greenlight-dev/greenlight/tensor"
)

// SampleRequest is a request body that shows what the model takes: the first
// row of its proof where there is one, else zeros and empty texts. It is nil
// for a model that takes no rows.
func (m *Model) SampleRequest() []byte {
	if m.SchemaErr != nil {
		return nil
	}
	b := NewBatch(m.Schema)
	if b.sampleRow(m.Sample) != nil {
		return nil
	}
	body := []byte(`{"rows":[`)
	body = b.appendRow(body, 0)
	return append(body, "]}"...)
}

// sampleRow fills the batch with the first row of a proof's case, or with
// zeros and empty texts where there is none or it does not fit; dimensions of
// any size get 1.
func (b *Batch) sampleRow(c *ProofCase) error {
	if c != nil && b.copyFirstRow(c) {
		return nil
	}
	for i := range b.inputs {
		in := &b.schema.inputs[i]
		shape := append([]int{1}, in.dims...)
		for k, d := range shape {
			if d < 0 {
				shape[k] = 1
			}
		}
		width, err := tensor.Elements(shape)
		if err != nil || width > maxRowElements {
			return fmt.Errorf("a row of shape %s is too large to make one up", shapeText(shape))
		}
		b.inputs[i].Reset(in.elem, shape...)
		b.inputs[i].Zero()
		b.widths[i] = width
	}
	b.rows = 1
	return nil
}

// copyFirstRow takes the first row of a proof's case, if it fits.
func (b *Batch) copyFirstRow(c *ProofCase) bool {
	values, err := inOrder(b.schema.infos, c.inputs)
	if err != nil {
		return false
	}
	for i, v := range values {
		src := v.(*tensor.Tensor)
		if rowsOf(src) == 0 {
			return false
		}
		var row tensor.Tensor
		row.ViewRows(src, 0, 1)
		b.inputs[i].CopyFrom(&row)
		b.widths[i] = row.Len()
	}
	b.rows = 1
	return true
}

// appendRow writes one row of the inputs as a request does.
func (b *Batch) appendRow(dst []byte, row int) []byte {
	for i := range b.schema.Columns {
		c := &b.schema.Columns[i]
		t := &b.inputs[c.input]
		if i == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		dst = appendText(dst, c.Name)
		dst = append(dst, ':')
		if at := row * rowWidth(t); c.Dims == nil {
			dst = appendElement(dst, t, at+c.at)
		} else {
			dst = appendNested(dst, t, t.Shape()[1:], at)
		}
	}
	return append(dst, '}')
}
