package modelserver

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Column is one named part of a prediction row.
type Column struct {
	Name  string
	Elem  tensor.DType
	Dims  []int  // shape of the part; nil for a single value, -1 for any length
	key   string // the name as a JSON text
	input int    // the model input it goes to
	at    int    // where in the input's row it starts
}

// Expects says in words what a row has to give for the column.
func (c *Column) Expects() string {
	what := expected(c.Elem)
	if c.Dims == nil {
		return what
	}
	return fmt.Sprintf("an array of shape %s holding %s for each element", shapeText(c.Dims), what)
}

// expected says in words what an element of type d is written as.
func expected(d tensor.DType) string {
	switch {
	case d == tensor.String:
		return "text"
	case d == tensor.Bool:
		return "true or false"
	case d == tensor.Float32, d == tensor.Float64:
		return "a number"
	case d.IsFloat():
		return "a number within " + d.String() + "'s range"
	case d == tensor.Int64:
		return "a whole number"
	}
	return "a whole number that fits " + d.String()
}

// shapeText writes a shape as "[3,?]"; negative dimensions are of any size.
func shapeText(dims []int) string {
	b := []byte{'['}
	for i, d := range dims {
		if i > 0 {
			b = append(b, ',')
		}
		if d < 0 {
			b = append(b, '?')
		} else {
			b = strconv.AppendInt(b, int64(d), 10)
		}
	}
	return string(append(b, ']'))
}

// Schema says how rows become a model's inputs and what its outputs mean.
type Schema struct {
	// Columns are the parts of a row, in the order that arrays give them.
	Columns []Column
	// Task is what the outputs mean.
	Task Task
	// Classes are the classes' names in the order of their scores; nil when
	// the model does not tell.
	Classes []string
	// FixedBatch is the number of rows that the model computes at a time;
	// Model.Predict splits and pads to it. 0 is any number.
	FixedBatch int

	infos   []onnx.ValueInfo // of the inputs
	inputs  []inputRow
	outputs outputMeaning
	byName  map[string]int // columns
}

// inputRow is the part of one model input that one row fills.
type inputRow struct {
	elem  tensor.DType
	dims  []int // without the batch dimension; -1 where not known
	width int   // elements; -1 when a dimension is not known
}

// NewSchema derives the schema of a model with these inputs and outputs. A
// model whose inputs are not rows (a scalar, a map), or whose metadata does
// not fit it, has no columns: the error says why, with code
// greenlight.CodeUnsupported, and the tensors themselves can still be sent
// through the Open Inference Protocol.
func NewSchema(m *onnx.Model, inputs, outputs []onnx.ValueInfo) (*Schema, error) {
	s := &Schema{infos: inputs}
	err := s.findOutputs(m, outputs)
	if err == nil {
		err = s.findColumns(m, inputs)
	}
	if err != nil {
		s.Columns = nil
		return s, greenlight.WithCode(greenlight.CodeUnsupported, err)
	}
	return s, nil
}

// findColumns takes the inputs apart into columns: those that the metadata
// names for a single matrix, else one for each input.
func (s *Schema) findColumns(m *onnx.Model, inputs []onnx.ValueInfo) error {
	features, err := metaNames(m, MetaFeatures)
	if err != nil {
		return err
	}
	for i, in := range inputs {
		row, batch, err := rowOf(in)
		if err != nil {
			return err
		}
		if i > 0 && batch != s.FixedBatch {
			return fmt.Errorf("inputs %q and %q take different numbers of rows", inputs[0].Name, in.Name)
		}
		s.FixedBatch = batch
		s.inputs = append(s.inputs, row)
	}
	if len(inputs) == 1 && len(s.inputs[0].dims) == 1 && s.inputs[0].dims[0] == len(features) {
		s.addFeatures(features)
	} else {
		s.addInputs(inputs)
	}
	if features != nil && !slices.EqualFunc(s.Columns, features, func(c Column, name string) bool { return c.Name == name }) {
		return fmt.Errorf("metadata %q names %d columns, which are not those of the model", MetaFeatures, len(features))
	}
	return s.indexColumns()
}

func (s *Schema) addFeatures(names []string) {
	for k, name := range names {
		s.Columns = append(s.Columns, Column{Name: name, Elem: s.inputs[0].elem, at: k})
	}
}

func (s *Schema) addInputs(inputs []onnx.ValueInfo) {
	for i, in := range inputs {
		row := &s.inputs[i]
		c := Column{Name: in.Name, Elem: row.elem, Dims: row.dims, input: i}
		if row.width == 1 && len(row.dims) <= 1 {
			c.Dims = nil
		}
		s.Columns = append(s.Columns, c)
	}
}

func (s *Schema) indexColumns() error {
	s.byName = make(map[string]int, len(s.Columns))
	for i := range s.Columns {
		c := &s.Columns[i]
		if _, ok := s.byName[c.Name]; ok {
			return fmt.Errorf("two columns are named %q", c.Name)
		}
		s.byName[c.Name] = i
		c.key = string(appendText(nil, c.Name))
	}
	return nil
}

// rowOf takes the batch dimension off an input.
func rowOf(in onnx.ValueInfo) (row inputRow, batch int, err error) {
	t := in.Type
	if t.Kind != tensor.KindTensor || !t.Ranked || len(t.Dims) == 0 {
		return row, 0, fmt.Errorf("input %q is %v, which has no rows; send it through /v2/models/{model}/infer", in.Name, t)
	}
	if datatypeOf(t.Elem) == "" {
		return row, 0, fmt.Errorf("input %q is %v, which JSON has no form for", in.Name, t)
	}
	if t.Dims[0].Known() {
		batch = t.Dims[0].Size
	}
	row = inputRow{elem: t.Elem}
	for _, d := range t.Dims[1:] {
		row.dims = append(row.dims, d.Size)
	}
	row.width = staticWidth(t)
	if knownElements(row.dims) > maxRowElements || batch > MaxRows {
		return row, 0, fmt.Errorf("input %q is %v: a row has at most %d elements, a batch %d rows", in.Name, t, maxRowElements, MaxRows)
	}
	return row, batch, nil
}

// maxRowElements bounds what one row makes the server allocate before it is
// read: 512 MiB at most.
const maxRowElements = 1 << 26

// knownElements multiplies the dimensions that are known and not 0; what is
// beyond maxRowElements is only that.
func knownElements(dims []int) int {
	n := 1
	for _, d := range dims {
		if d > maxRowElements {
			return d
		}
		if d > 0 && n <= maxRowElements {
			n *= d
		}
	}
	return n
}

// staticWidth is the number of elements of one row of a tensor type with a
// batch dimension, -1 when it is not known.
func staticWidth(t tensor.Type) int {
	if t.Kind != tensor.KindTensor || !t.Ranked || len(t.Dims) == 0 {
		return -1
	}
	n := 1
	for _, d := range t.Dims[1:] {
		if !d.Known() || d.Size > 0 && n > math.MaxInt/d.Size {
			return -1
		}
		n *= d.Size
	}
	return n
}
