package modelserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// datatypes are the Open Inference Protocol's names of element types
// (https://github.com/kserve/open-inference-protocol, "Tensor Data Types");
// BF16 is the name that servers of the protocol use for bfloat16.
var datatypes = [...]struct {
	name string
	elem tensor.DType
}{
	{"BOOL", tensor.Bool},
	{"UINT8", tensor.Uint8}, {"UINT16", tensor.Uint16}, {"UINT32", tensor.Uint32}, {"UINT64", tensor.Uint64},
	{"INT8", tensor.Int8}, {"INT16", tensor.Int16}, {"INT32", tensor.Int32}, {"INT64", tensor.Int64},
	{"FP16", tensor.Float16}, {"FP32", tensor.Float32}, {"FP64", tensor.Float64}, {"BF16", tensor.BFloat16},
	{"BYTES", tensor.String},
}

// datatypeOf is the protocol's name of an element type, "" when it has none.
func datatypeOf(elem tensor.DType) string {
	for _, d := range datatypes {
		if d.elem == elem {
			return d.name
		}
	}
	return ""
}

// dtypeOf is the element type that the protocol calls name.
func dtypeOf(name string) (tensor.DType, bool) {
	for _, d := range datatypes {
		if d.name == name {
			return d.elem, true
		}
	}
	return tensor.Undefined, false
}

func datatypeNames() string {
	var names []string
	for _, d := range datatypes {
		names = append(names, d.name)
	}
	return strings.Join(names, ", ")
}

// wireType is the protocol's datatype of a value, and its shape: -1 for a
// dimension of any size. What is no tensor is sent as texts of JSON.
func wireType(info onnx.ValueInfo) (datatype string, shape []int) {
	if info.Type.Kind != tensor.KindTensor {
		return "BYTES", []int{-1}
	}
	datatype = datatypeOf(info.Type.Elem)
	if datatype == "" {
		datatype = strings.ToUpper(info.Type.Elem.String())
	}
	shape = []int{}
	for _, d := range info.Type.Dims {
		shape = append(shape, d.Size)
	}
	return datatype, shape
}

// appendTensor writes a tensor as the protocol does, data flat. A type the
// protocol does not have is an error.
func appendTensor(dst []byte, name string, t *tensor.Tensor) ([]byte, error) {
	datatype := datatypeOf(t.DType())
	if datatype == "" {
		return dst, fmt.Errorf("output %q is %v, which the protocol has no datatype for", name, t.DType())
	}
	dst = append(dst, `{"name":`...)
	dst = appendText(dst, name)
	dst = append(dst, `,"datatype":"`...)
	dst = append(dst, datatype...)
	dst = append(dst, `","shape":[`...)
	for i, d := range t.Shape() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(d), 10)
	}
	dst = append(dst, `],"data":[`...)
	dst = slices.Grow(dst, 8*t.Len())
	for i := range t.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendElement(dst, t, i)
	}
	return append(dst, "]}"...), nil
}

// asTensor gives values that the protocol has no form for (ZipMap's sequence
// of maps) as one text of JSON for each item.
func asTensor(v tensor.Value) *tensor.Tensor {
	switch v := v.(type) {
	case *tensor.Tensor:
		return v
	case *tensor.Sequence:
		texts := make([]string, len(v.Items))
		for i, item := range v.Items {
			texts[i] = string(appendValue(nil, item))
		}
		return tensor.FromStrings(texts, len(texts))
	}
	return tensor.FromStrings([]string{string(appendValue(nil, v))}, 1)
}

// inOrder puts tensors given by name into the order of infos, each once and
// of the type and shape that the model declares. Its errors are of code
// greenlight.CodeInvalid.
func inOrder(infos []onnx.ValueInfo, given []namedTensor) ([]tensor.Value, error) {
	values := make([]tensor.Value, len(infos))
	for _, g := range given {
		i := indexByName(infos, g.name)
		if i < 0 {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "the model has no input %q; its inputs are %s", clip(g.name), nameList(infos))
		}
		if values[i] != nil {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "input %q is given twice", g.name)
		}
		values[i] = g.tensor
	}
	return values, engine.CheckInputs(infos, values)
}

func indexByName(infos []onnx.ValueInfo, name string) int {
	return slices.IndexFunc(infos, func(v onnx.ValueInfo) bool { return v.Name == name })
}

func nameList(infos []onnx.ValueInfo) string {
	var names []string
	for _, v := range infos {
		names = append(names, strconv.Quote(v.Name))
	}
	return strings.Join(names, ", ")
}
