package load

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	greenlight "github.com/greenlight-dev/greenlight"
)

// inferMethod is the Open Inference Protocol's call for a prediction.
const inferMethod = "/inference.GRPCInferenceService/ModelInfer"

// inferRequest is a request for a prediction as the protocol's REST form has
// it.
type inferRequest struct {
	ID         string                     `json:"id"`
	Parameters map[string]json.RawMessage `json:"parameters"`
	Inputs     []inferInput               `json:"inputs"`
	Outputs    []inferOutput              `json:"outputs"`
}

type inferInput struct {
	Name       string                     `json:"name"`
	Shape      []int64                    `json:"shape"`
	Datatype   string                     `json:"datatype"`
	Parameters map[string]json.RawMessage `json:"parameters"`
	Data       json.RawMessage            `json:"data"`
}

type inferOutput struct {
	Name       string                     `json:"name"`
	Parameters map[string]json.RawMessage `json:"parameters"`
}

// InferCall makes a call of the Open Inference Protocol, version 2, of a
// request in its REST form. model is NAME, or NAME/versions/VERSION.
func InferCall(model, body string, deadline time.Duration) (Request, error) {
	name, version, versioned := strings.Cut(model, "/versions/")
	if name == "" || strings.Contains(name, "/") || versioned && (version == "" || strings.Contains(version, "/")) {
		return Request{}, greenlight.Errorf(greenlight.CodeInvalid, "%q is no model; want NAME or NAME/versions/VERSION", clip(model))
	}
	var given inferRequest
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&given); err != nil {
		return Request{}, greenlight.Errorf(greenlight.CodeInvalid, "the body is no request of the Open Inference Protocol: %w", err)
	}
	message, err := given.encode(name, version)
	if err != nil {
		return Request{}, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	r, err := GRPCCall(inferMethod, message, deadline)
	r.Name = "ModelInfer " + model
	return r, err
}

// encode writes ModelInferRequest: model_name 1, model_version 2, id 3,
// parameters 4, inputs 5, outputs 6, raw_input_contents 7.
func (r *inferRequest) encode(model, version string) ([]byte, error) {
	if len(r.Inputs) == 0 {
		return nil, fmt.Errorf(`the body has no "inputs"`)
	}
	// Half-precision numbers have no field of their own; one input in raw form
	// means all are.
	raw := slices.ContainsFunc(r.Inputs, func(in inferInput) bool { return in.Datatype == "FP16" || in.Datatype == "BF16" })
	b := appendText(nil, 1, model)
	b = appendText(b, 2, version)
	b = appendText(b, 3, r.ID)
	b, err := appendParameters(b, 4, r.Parameters)
	if err != nil {
		return nil, err
	}
	var contents [][]byte
	for i := range r.Inputs {
		in := &r.Inputs[i]
		message, rawContents, err := in.encode(raw)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", clip(in.Name), err)
		}
		b = appendMessage(b, 5, message)
		contents = append(contents, rawContents)
	}
	for i := range r.Outputs {
		message, err := appendParameters(appendText(nil, 1, r.Outputs[i].Name), 2, r.Outputs[i].Parameters)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", clip(r.Outputs[i].Name), err)
		}
		b = appendMessage(b, 6, message)
	}
	if raw {
		for _, c := range contents {
			b = appendMessage(b, 7, c)
		}
	}
	return b, nil
}

// encode writes InferInputTensor: name 1, datatype 2, shape 3, parameters 4,
// contents 5, unless the contents are to be raw.
func (in *inferInput) encode(raw bool) (message, contents []byte, err error) {
	values, err := flatten(in.Data)
	if err != nil {
		return nil, nil, err
	}
	if err := in.fits(len(values)); err != nil {
		return nil, nil, err
	}
	t, known := inferTypes[in.Datatype]
	if !known {
		return nil, nil, fmt.Errorf("datatype %q; want one of %s", clip(in.Datatype), strings.Join(slices.Sorted(maps.Keys(inferTypes)), ", "))
	}
	if _, large := in.Parameters["binary_data_size"]; large {
		return nil, nil, fmt.Errorf("binary data after the JSON is no part of a body here; write the values as data")
	}
	var packed []byte
	for i, v := range values {
		if packed, err = t.append(packed, v, raw); err != nil {
			return nil, nil, fmt.Errorf("value %d: %w", i+1, err)
		}
	}
	b := appendText(appendText(nil, 1, in.Name), 2, in.Datatype)
	var shape []byte
	for _, n := range in.Shape {
		shape = protowire.AppendVarint(shape, uint64(n)) //nolint:gosec // not negative: fits has seen it
	}
	b = appendMessage(b, 3, shape)
	if b, err = appendParameters(b, 4, in.Parameters); err != nil || raw {
		return b, packed, err
	}
	if t.field != bytesField {
		packed = appendMessage(nil, t.field, packed)
	}
	return appendMessage(b, 5, packed), nil, nil
}

// fits holds the shape against the number of values.
func (in *inferInput) fits(values int) error {
	size := int64(1)
	for _, n := range in.Shape {
		if n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("the shape %v cannot be", in.Shape)
		}
		if size *= n; size > MaxBody {
			break
		}
	}
	if size != int64(values) || len(in.Shape) > 64 {
		return fmt.Errorf("the shape %v and %d values do not fit", clip(fmt.Sprint(in.Shape)), values)
	}
	return nil
}

// flatten gives the values of data, which may be nested as the shape is.
func flatten(data json.RawMessage) ([]json.RawMessage, error) {
	const deepest = 64
	var values []json.RawMessage
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf(`"data" is no list of values`)
		}
		switch token {
		case json.Delim('['):
			depth++
		case json.Delim(']'):
			depth--
		case json.Delim('{'), json.Delim('}'):
			return nil, fmt.Errorf(`"data" holds something other than numbers, texts, true and false`)
		default:
			text, _ := json.Marshal(token) // what was JSON can be written
			values = append(values, text)
		}
		if depth == 0 || depth > deepest {
			if depth > deepest || len(data) == 0 || bytes.TrimSpace(data)[0] != '[' {
				return nil, fmt.Errorf(`"data" is no list of values`)
			}
			return values, nil
		}
	}
}

// inferType is how values of a datatype are written: packed in a field of
// InferTensorContents, or raw, little-endian.
type inferType struct {
	field protowire.Number
	bits  int
	write func(b []byte, v json.RawMessage, bits int, raw bool) ([]byte, error)
}

func (t *inferType) append(b []byte, v json.RawMessage, raw bool) ([]byte, error) {
	return t.write(b, v, t.bits, raw)
}

// bytesField is the contents' field of texts, which are not packed.
const bytesField = 8

var inferTypes = map[string]inferType{
	"BOOL": {1, 8, writeBool},
	"INT8": {2, 8, writeInt}, "INT16": {2, 16, writeInt}, "INT32": {2, 32, writeInt}, "INT64": {3, 64, writeInt},
	"UINT8": {4, 8, writeUint}, "UINT16": {4, 16, writeUint}, "UINT32": {4, 32, writeUint}, "UINT64": {5, 64, writeUint},
	"FP32": {6, 32, writeFloat}, "FP64": {7, 64, writeFloat}, "FP16": {0, 16, writeHalf}, "BF16": {0, 16, writeBrain},
	"BYTES": {bytesField, 0, writeText},
}

func writeBool(b []byte, v json.RawMessage, _ int, _ bool) ([]byte, error) {
	switch string(v) {
	case "true":
		return append(b, 1), nil
	case "false":
		return append(b, 0), nil
	}
	return nil, fmt.Errorf("%s is neither true nor false", clip(string(v)))
}

func writeInt(b []byte, v json.RawMessage, bits int, raw bool) ([]byte, error) {
	n, err := strconv.ParseInt(string(v), 10, bits)
	if err != nil {
		return nil, fmt.Errorf("%s is no INT%d", clip(string(v)), bits)
	}
	if raw {
		return appendRaw(b, uint64(n), bits), nil //nolint:gosec // two's complement is what is wanted
	}
	return protowire.AppendVarint(b, uint64(n)), nil //nolint:gosec // likewise
}

func writeUint(b []byte, v json.RawMessage, bits int, raw bool) ([]byte, error) {
	n, err := strconv.ParseUint(string(v), 10, bits)
	if err != nil {
		return nil, fmt.Errorf("%s is no UINT%d", clip(string(v)), bits)
	}
	if raw {
		return appendRaw(b, n, bits), nil
	}
	return protowire.AppendVarint(b, n), nil
}

func writeFloat(b []byte, v json.RawMessage, bits int, _ bool) ([]byte, error) {
	f, err := parseNumber(v, bits)
	if err != nil {
		return nil, err
	}
	if bits == 32 {
		return protowire.AppendFixed32(b, math.Float32bits(float32(f))), nil
	}
	return protowire.AppendFixed64(b, math.Float64bits(f)), nil
}

// writeBrain writes bfloat16: the upper half of a float32, to nearest even.
func writeBrain(b []byte, v json.RawMessage, _ int, _ bool) ([]byte, error) {
	f, err := parseNumber(v, 32)
	if err != nil {
		return nil, err
	}
	bits := math.Float32bits(float32(f))
	return appendRaw(b, uint64((bits+0x7fff+bits>>16&1)>>16), 16), nil
}

// writeHalf writes IEEE 754 binary16, to nearest even.
func writeHalf(b []byte, v json.RawMessage, _ int, _ bool) ([]byte, error) {
	f, err := parseNumber(v, 64)
	if err != nil {
		return nil, err
	}
	if math.IsNaN(f) {
		return appendRaw(b, 0x7e00, 16), nil
	}
	const digits, least, most = 10, -14, 15 // of the fraction; exponents
	sign := uint64(0)
	if math.Signbit(f) {
		sign, f = 1<<15, -f
	}
	_, exponent := math.Frexp(f)
	if exponent = max(exponent-1, least); f == 0 {
		exponent = least
	}
	steps := uint64(math.RoundToEven(math.Ldexp(f, digits-exponent))) // the fraction with its leading 1, if any
	half := steps + uint64(exponent-least)<<digits                    //nolint:gosec // exponent is at least least
	if f > 0 && exponent > most || half >= 31<<digits {
		return nil, fmt.Errorf("%s is too large for FP16", clip(string(v)))
	}
	return appendRaw(b, sign|half, 16), nil
}

// parseNumber reads a number; null is not a number, as a model server of ours
// has it, too.
func parseNumber(v json.RawMessage, bits int) (float64, error) {
	if string(v) == "null" {
		return math.NaN(), nil
	}
	f, err := strconv.ParseFloat(string(v), bits)
	if err != nil {
		return 0, fmt.Errorf("%s is no number of %d bits", clip(string(v)), bits)
	}
	return f, nil
}

// writeText writes a value of BYTES, which is a text in JSON; null is "".
func writeText(b []byte, v json.RawMessage, _ int, raw bool) ([]byte, error) {
	var text string
	if err := json.Unmarshal(v, &text); err != nil {
		return nil, fmt.Errorf("%s is no text", clip(string(v)))
	}
	if raw {
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...), nil //nolint:gosec // a body is bounded
	}
	return appendMessage(b, bytesField, []byte(text)), nil
}

func appendRaw(b []byte, v uint64, bits int) []byte {
	for i := 0; i < bits; i += 8 {
		b = append(b, byte(v>>i))
	}
	return b
}

// appendText writes a field unless it is empty, which is the same.
func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

// appendParameters writes map<string, InferParameter>: bool_param 1,
// int64_param 2, string_param 3.
func appendParameters(b []byte, field protowire.Number, parameters map[string]json.RawMessage) ([]byte, error) {
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		v := parameters[name]
		var p []byte
		var text string
		n, wrong := strconv.ParseInt(string(v), 10, 64)
		switch {
		case string(v) == "true":
			p = protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
		case string(v) == "false":
			p = protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 0)
		case wrong == nil:
			p = protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), uint64(n)) //nolint:gosec // two's complement is what is wanted
		case json.Unmarshal(v, &text) == nil && v[0] == '"':
			p = appendMessage(nil, 3, []byte(text))
		default:
			return nil, fmt.Errorf("the parameter %q is neither a text, a whole number, true nor false", clip(name))
		}
		b = appendMessage(b, field, appendMessage(appendText(nil, 1, name), 2, p))
	}
	return b, nil
}
