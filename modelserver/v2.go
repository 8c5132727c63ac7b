package modelserver

import (
	"encoding/json"
	"net/http"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/onnx"
)

// The Open Inference Protocol, version 2, over REST
// (https://github.com/kserve/open-inference-protocol).

// modelVersion is the one version that each model has.
const modelVersion = "1"

func (s *Server) routesV2() []route {
	routes := []route{
		{"GET", "/v2", s.serverMetadata},
		{"GET", "/v2/{$}", s.serverMetadata},
		{"GET", "/v2/health/live", s.serverLive},
		{"GET", "/v2/health/ready", s.serverReady},
	}
	for _, prefix := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		routes = append(routes,
			route{"GET", prefix, s.forModel(s.modelMetadata)},
			route{"GET", prefix + "/ready", s.forModel(s.modelReady)},
			route{"POST", prefix + "/infer", s.forModel(s.infer)})
	}
	return routes
}

// forModel finds the model and version that the path names.
func (s *Server) forModel(next func(http.ResponseWriter, *http.Request, *served)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m, err := s.model(r)
		if v := r.PathValue("version"); err == nil && v != "" && v != modelVersion {
			err = greenlight.Errorf(greenlight.CodeNotFound, "model %q has no version %q; it has %q", m.Name, v, modelVersion)
		}
		if err != nil {
			writeError(w, err, http.StatusBadRequest)
			return
		}
		next(w, r, m)
	}
}

func (s *Server) serverMetadata(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"name": "greenlight", "version": s.options.Version, "extensions": []string{},
	})
}

func (s *Server) serverLive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]bool{"live": true})
}

func (s *Server) serverReady(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, s.readyStatus(), map[string]bool{"ready": !s.stopping.Load()})
}

func (s *Server) modelReady(w http.ResponseWriter, _ *http.Request, m *served) {
	writeJSON(w, s.readyStatus(), map[string]any{"name": m.Name, "ready": !s.stopping.Load()})
}

type tensorMetadata struct {
	Name     string `json:"name"`
	Datatype string `json:"datatype"`
	Shape    []int  `json:"shape"`
}

// modelParameters is what Greenlight adds to a model's metadata.
type modelParameters struct {
	Engine  string       `json:"engine"`
	SHA256  string       `json:"sha256,omitempty"`
	Task    Task         `json:"task,omitempty"`
	Classes []string     `json:"classes,omitempty"`
	Proof   *ProofResult `json:"proof,omitempty"`
	// Sample is a request for predictions that works, where the model takes
	// rows and one is not too large.
	Sample json.RawMessage `json:"sample_request,omitempty"`
}

// maxSample bounds a sample in metadata, in bytes.
const maxSample = 64 << 10

func parametersOf(m *Model) modelParameters {
	p := modelParameters{Engine: m.Engine, SHA256: m.File.SHA256, Task: m.Schema.Task, Classes: m.Schema.Classes, Proof: m.Proof}
	if sample := m.SampleRequest(); len(sample) <= maxSample {
		p.Sample = sample
	}
	return p
}

func (s *Server) modelMetadata(w http.ResponseWriter, _ *http.Request, m *served) {
	body := struct {
		Name       string           `json:"name"`
		Versions   []string         `json:"versions"`
		Platform   string           `json:"platform"`
		Inputs     []tensorMetadata `json:"inputs"`
		Outputs    []tensorMetadata `json:"outputs"`
		Parameters modelParameters  `json:"parameters"`
	}{
		Name: m.Name, Versions: []string{modelVersion}, Platform: "onnx_onnxv1",
		Inputs: describeTensors(m.Inputs()), Outputs: describeTensors(m.Outputs()),
		Parameters: parametersOf(m.Model),
	}
	writeJSON(w, http.StatusOK, body)
}

func describeTensors(infos []onnx.ValueInfo) []tensorMetadata {
	list := make([]tensorMetadata, len(infos))
	for i, info := range infos {
		datatype, shape := wireType(info)
		list[i] = tensorMetadata{info.Name, datatype, shape}
	}
	return list
}
