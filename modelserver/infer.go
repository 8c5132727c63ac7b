package modelserver

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/tensor"
)

// inferRequest is a decoded request of the Open Inference Protocol.
type inferRequest struct {
	id      string
	hasID   bool
	inputs  []namedTensor
	outputs []string // names asked for; empty is all
}

// parseInfer reads a request's body. Its errors are of code
// greenlight.CodeInvalid.
func parseInfer(body []byte) (*inferRequest, error) {
	r := &inferRequest{}
	err := decode(body, func(d *decoder) error { return r.read(d) })
	if err == nil && len(r.inputs) == 0 {
		err = fmt.Errorf(`"inputs" is missing or empty`)
	}
	return r, greenlight.WithCode(greenlight.CodeInvalid, err)
}

var inferFields = []string{"id", "parameters", "inputs", "outputs"}

func (r *inferRequest) read(d *decoder) error {
	return d.object(inferFields, func(field int) (err error) {
		switch name := inferFields[field]; name {
		case "id":
			r.hasID = true
			r.id, err = d.text(name)
		case "parameters":
			err = d.s.Skip()
		case "inputs":
			r.inputs, err = d.tensors(name, false)
		case "outputs":
			err = d.list(name, func(int) error {
				output, err := d.requestedOutput()
				r.outputs = append(r.outputs, output)
				return err
			})
		}
		return err
	})
}

var requestedOutputFields = []string{"name", "parameters"}

func (d *decoder) requestedOutput() (name string, err error) {
	err = d.object(requestedOutputFields, func(field int) (err error) {
		if field == 0 {
			name, err = d.text("name")
			return err
		}
		return d.s.Skip()
	})
	if err == nil && name == "" {
		err = fmt.Errorf(`"name" is missing`)
	}
	return name, err
}

// infer answers POST …/infer.
func (s *Server) infer(w http.ResponseWriter, r *http.Request, m *served) {
	start := time.Now()
	m.metrics.infer.Inc()
	answer, err := s.inferAnswer(r, m)
	if err != nil {
		s.report(w, r, m, err, http.StatusBadRequest)
	} else {
		writeBody(w, http.StatusOK, answer)
	}
	m.metrics.done(start, err)
}

// binaryHeader announces the protocol's binary tensor data extension.
const binaryHeader = "Inference-Header-Content-Length"

func (s *Server) inferAnswer(r *http.Request, m *served) ([]byte, error) {
	if r.Header.Get(binaryHeader) != "" {
		return nil, greenlight.Errorf(greenlight.CodeUnsupported, `binary tensor data (header %s) is not supported; send "data" as JSON`, binaryHeader)
	}
	body, err := s.readBody(nil, r)
	if err != nil {
		return nil, err
	}
	request, err := parseInfer(body)
	if err != nil {
		return nil, err
	}
	in, err := inOrder(m.Inputs(), request.inputs)
	if err != nil {
		return nil, err
	}
	wanted, err := m.chooseOutputs(request.outputs)
	if err != nil {
		return nil, err
	}
	out := make([]tensor.Value, len(m.Outputs()))
	if err := s.compute(r.Context(), m, func() error { return m.Run(r.Context(), in, out) }); err != nil {
		return nil, err
	}
	m.metrics.rows.Add(float64(max(0, rowsOf(in[0]))))
	return m.appendInferResponse(nil, request, wanted, out)
}

// chooseOutputs numbers the outputs asked for, all when none is named.
func (m *Model) chooseOutputs(names []string) ([]int, error) {
	var wanted []int
	for _, name := range names {
		i := indexByName(m.Outputs(), name)
		if i < 0 {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "the model has no output %q; its outputs are %s", clip(name), nameList(m.Outputs()))
		}
		if slices.Contains(wanted, i) {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "output %q is asked for twice", name)
		}
		wanted = append(wanted, i)
	}
	for i := range m.Outputs() {
		if len(names) == 0 {
			wanted = append(wanted, i)
		}
	}
	return wanted, nil
}

func (m *Model) appendInferResponse(dst []byte, request *inferRequest, wanted []int, out []tensor.Value) ([]byte, error) {
	dst = append(dst, `{"model_name":`...)
	dst = appendText(dst, m.Name)
	dst = append(dst, `,"model_version":"`+modelVersion+`"`...)
	if request.hasID {
		dst = append(dst, `,"id":`...)
		dst = appendText(dst, request.id)
	}
	dst = append(dst, `,"outputs":[`...)
	for k, i := range wanted {
		if k > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendTensor(dst, m.Outputs()[i].Name, asTensor(out[i])); err != nil {
			return nil, greenlight.WithCode(greenlight.CodeUnsupported, err)
		}
	}
	return append(dst, "]}\n"...), nil
}
