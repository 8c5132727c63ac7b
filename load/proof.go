package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// proofTensor is one input of a proof's case, as far as a request needs it.
type proofTensor struct {
	Name     string            `json:"name"`
	Datatype string            `json:"datatype"`
	Shape    []int64           `json:"shape"`
	Data     []json.RawMessage `json:"data"` // flat, row after row
}

// MaxProofBytes bounds a proof file.
const MaxProofBytes = 64 << 20

// ReadProof makes a request of every row of a model's proof.json: as the
// Open Inference Protocol has it for a path that ends in /infer, as a row
// with a value for each input for one that ends in /predict.
func ReadProof(in io.Reader, path string) ([]Request, error) {
	var file struct {
		Cases []struct {
			Name   string        `json:"name"`
			Inputs []proofTensor `json:"inputs"`
		} `json:"cases"`
	}
	body := inferBody
	switch {
	case strings.HasSuffix(path, "/predict"):
		body = rowBody
	case !strings.HasSuffix(path, "/infer"):
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the rows of a proof go to an address that ends in /predict or /infer, not to %q", clip(path))
	}
	data, err := io.ReadAll(io.LimitReader(in, MaxProofBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxProofBytes {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "it has more than %d bytes", MaxProofBytes)
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "it is no proof: %w", err)
	}
	var requests []Request
	for _, c := range file.Cases {
		rows, err := rowsOf(c.Inputs)
		if err != nil {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "case %q: %w", clip(c.Name), err)
		}
		for i := range min(rows, MaxRequests-int64(len(requests))) {
			requests = append(requests, Request{Method: "POST", Body: body(c.Inputs, i), Name: clip(c.Name)})
		}
	}
	if len(requests) == 0 {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "it holds no rows")
	}
	return requests, nil
}

// rowsOf is how many rows all the inputs have.
func rowsOf(inputs []proofTensor) (int64, error) {
	if len(inputs) == 0 {
		return 0, nil
	}
	if len(inputs[0].Shape) == 0 {
		return 0, fmt.Errorf("input %q has no rows", clip(inputs[0].Name))
	}
	rows := inputs[0].Shape[0]
	for _, t := range inputs {
		size := int64(1)
		for _, d := range t.Shape {
			if d < 1 || d > int64(len(t.Data)) {
				return 0, fmt.Errorf("input %q has the shape %v and %d values", clip(t.Name), t.Shape, len(t.Data))
			}
			if size *= d; size > int64(len(t.Data)) {
				break
			}
		}
		if size != int64(len(t.Data)) || len(t.Shape) == 0 || t.Shape[0] != rows {
			return 0, fmt.Errorf("input %q has the shape %v, %d values and not %d rows", clip(t.Name), t.Shape, len(t.Data), rows)
		}
	}
	return rows, nil
}

// row is the values of one row.
func (t *proofTensor) row(i int64) []json.RawMessage {
	n := int64(len(t.Data)) / t.Shape[0]
	return t.Data[i*n : (i+1)*n]
}

func inferBody(inputs []proofTensor, i int64) string {
	type tensor struct {
		Name     string            `json:"name"`
		Datatype string            `json:"datatype"`
		Shape    []int64           `json:"shape"`
		Data     []json.RawMessage `json:"data"`
	}
	var body struct {
		Inputs []tensor `json:"inputs"`
	}
	for _, t := range inputs {
		body.Inputs = append(body.Inputs, tensor{t.Name, t.Datatype, append([]int64{1}, t.Shape[1:]...), t.row(i)})
	}
	text, _ := json.Marshal(body) // values that were JSON can be written
	return string(text)
}

func rowBody(inputs []proofTensor, i int64) string {
	var b bytes.Buffer
	b.WriteString(`{"rows":[{`)
	for k := range inputs {
		if k > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(inputs[k].Name) // a string can always be written
		b.Write(name)
		b.WriteByte(':')
		shape := inputs[k].Shape[1:]
		if len(shape) == 1 && shape[0] == 1 {
			shape = nil // a column of one value
		}
		nest(&b, inputs[k].row(i), shape)
	}
	b.WriteString(`}]}`)
	return b.String()
}

// nest writes values as arrays of a shape.
func nest(b *bytes.Buffer, values []json.RawMessage, shape []int64) {
	if len(shape) == 0 {
		b.Write(values[0])
		return
	}
	b.WriteByte('[')
	n := int64(len(values)) / shape[0]
	for i := range shape[0] {
		if i > 0 {
			b.WriteByte(',')
		}
		nest(b, values[i*n:(i+1)*n], shape[1:])
	}
	b.WriteByte(']')
}
