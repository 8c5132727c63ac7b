package console

import (
	"bytes"
	"encoding/json"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
)

// servicePage is one service with all that is known of it.
type servicePage struct {
	control.ServiceDetail
	Several     bool     // whether there are other environments
	Load        *liveRow // a test that it has to bear now
	Dots        replicaDots
	Described   string // the description, indented
	Playgrounds []playground
	Events      []eventRow
	Capacity    *capacityRow // nil where no plan was made
}

// playground is a form that sends a request and shows the answer.
type playground struct {
	Model  string // "" is a plain request
	Method string
	Path   string
	Body   string
	Fields []field // columns of the body's first row, when they are plain values
}

// field is one column of a row that a person can fill in.
type field struct{ Name, Type, Value string }

func serviceOf(d control.ServiceDetail, events []greenlight.Event) servicePage {
	p := servicePage{ServiceDetail: d, Dots: dotsOf(d.Service), Described: indented(d.Description), Events: eventRows(events)}
	for _, m := range d.Models {
		p.Playgrounds = append(p.Playgrounds, playgroundOf(m))
	}
	if len(p.Playgrounds) == 0 {
		p.Playgrounds = []playground{{Method: "GET", Path: "/"}}
	}
	return p
}

func indented(data json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, data, "", "  ") != nil {
		return string(data)
	}
	return b.String()
}

func playgroundOf(m control.ModelInfo) playground {
	p := playground{Model: m.Name, Method: "POST", Path: m.Path, Body: indentedSample(m.Sample)}
	var sample struct {
		Rows []map[string]json.RawMessage `json:"rows"`
	}
	if json.Unmarshal(m.Sample, &sample) != nil || len(sample.Rows) == 0 {
		return p
	}
	p.Fields = fieldsOf(m.Metadata, sample.Rows[0])
	return p
}

// longSample is how many bytes of a sample are indented; a longer one, such
// as an image, would only scroll.
const longSample = 2000

func indentedSample(sample json.RawMessage) string {
	if len(sample) > longSample {
		return string(sample)
	}
	return indented(sample)
}

// fieldsOf are the columns of row in the order of the model's inputs; none
// unless every column is a plain value.
func fieldsOf(metadata json.RawMessage, row map[string]json.RawMessage) []field {
	var model struct {
		Inputs []struct {
			Name string `json:"name"`
		} `json:"inputs"`
	}
	if json.Unmarshal(metadata, &model) != nil || len(model.Inputs) != len(row) {
		return nil
	}
	fields := make([]field, 0, len(row))
	for _, input := range model.Inputs {
		f, ok := plainField(input.Name, row[input.Name])
		if !ok {
			return nil
		}
		fields = append(fields, f)
	}
	return fields
}

func plainField(name string, value json.RawMessage) (field, bool) {
	var text string
	if json.Unmarshal(value, &text) == nil && strings.HasPrefix(string(value), `"`) {
		return field{name, "text", text}, true
	}
	var number json.Number
	if json.Unmarshal(value, &number) == nil && number != "" {
		return field{name, "number", number.String()}, true
	}
	return field{}, false
}
