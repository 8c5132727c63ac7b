package modelserver

import (
	"strconv"

	"github.com/greenlight-dev/greenlight/tensor"
)

// maxFields is the most fields that one output is spread over; a wider one
// is a single field of JSON.
const maxFields = 4096

// AnswerHeader names the fields that Answer.AppendFields gives, for a table:
// "label" and "probability_Adelie"… (or "score_…") for a classifier, "value"
// for a regressor, else the outputs' names. An output of several values a row
// is spread over name_0, name_1, …; one of no known width is a single field
// that holds JSON.
func (s *Schema) AnswerHeader() []string {
	o := &s.outputs
	switch s.Task {
	case TaskClassification:
		header := []string{"label"}
		if o.scores < 0 {
			return header
		}
		if !o.spread(o.classes) {
			return append(header, o.scoresName())
		}
		for k := range o.classes {
			header = append(header, o.fieldPrefix()+s.className(k))
		}
		return header
	case TaskRegression:
		return o.appendNames(nil, "value", o.widths[o.value])
	}
	var header []string
	for i, info := range o.infos {
		header = o.appendNames(header, info.Name, o.widths[i])
	}
	return header
}

func (o *outputMeaning) fieldPrefix() string {
	if o.logits {
		return "score_"
	}
	return "probability_"
}

// spread says whether so many values get a field each.
func (*outputMeaning) spread(n int) bool { return n > 0 && n <= maxFields }

func (o *outputMeaning) appendNames(header []string, name string, width int) []string {
	if width == 1 || !o.spread(width) {
		return append(header, name)
	}
	for k := range width {
		header = append(header, name+"_"+strconv.Itoa(k))
	}
	return header
}

// AppendFields appends one row's prediction as texts, a field for each of
// Schema.AnswerHeader. What JSON writes as null is empty.
func (a *Answer) AppendFields(dst []string, row int) []string {
	o := &a.schema.outputs
	switch a.schema.Task {
	case TaskClassification:
		dst = append(dst, a.labelField(row))
		switch {
		case o.scores < 0:
		case !o.spread(o.classes):
			dst = append(dst, string(appendRow(nil, a.outputs[o.scores], row)))
		default:
			var buf [32]byte
			for k := range o.classes {
				dst = append(dst, field(a.appendScore(buf[:0], row, k)))
			}
		}
		return dst
	case TaskRegression:
		return a.appendOutputFields(dst, o.value, row)
	}
	for i := range a.outputs {
		dst = a.appendOutputFields(dst, i, row)
	}
	return dst
}

func (a *Answer) appendOutputFields(dst []string, output, row int) []string {
	o := &a.schema.outputs
	t, ok := a.outputs[output].(*tensor.Tensor)
	width := o.widths[output]
	if !ok || !o.spread(width) {
		return append(dst, field(appendRow(nil, a.outputs[output], row)))
	}
	for k := range width {
		dst = append(dst, elementField(t, row*width+k))
	}
	return dst
}

// elementField is one element as bare text.
func elementField(t *tensor.Tensor, i int) string {
	if t.DType() == tensor.String {
		return t.Strings()[i]
	}
	var buf [32]byte
	return field(appendElement(buf[:0], t, i))
}

// field makes JSON's null an empty field.
func field(json []byte) string {
	if string(json) == "null" {
		return ""
	}
	return string(json)
}

// labelField is the label as bare text.
func (a *Answer) labelField(row int) string {
	if k := a.class(row); k >= 0 {
		return a.schema.className(k)
	}
	if o := &a.schema.outputs; o.label >= 0 {
		return elementField(a.outputs[o.label].(*tensor.Tensor), row)
	}
	return ""
}
