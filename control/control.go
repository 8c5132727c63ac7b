// Package control is the control plane: it takes descriptions, keeps every
// environment as its description says, and tells what is so. Backends, store
// and gateway come to it through ports.
package control

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/greenlight-dev/greenlight/plan"
)

// Description is a greenlight.yaml as a client hands it over.
type Description struct {
	Path string `json:"path" doc:"absolute path of the file; what it names is relative to its folder"`
	Text string `json:"text" doc:"what stands in it"`
	// Variables are those that the text takes from where the client runs, so
	// that ${VAR} means the same there and here. Secrets are not among them:
	// they are read where the control plane runs.
	Variables map[string]string `json:"variables,omitempty"`
}

// Applied is the outcome of applying a description.
type Applied struct {
	Environment string `json:"environment"`
	Revision    int64  `json:"revision"`
	Changed     bool   `json:"changed" doc:"false: it was in force already"`
	Plan        Plan   `json:"plan" doc:"what began with it"`
}

// Plan is what would change in an environment, in order.
type Plan struct {
	Environment string      `json:"environment"`
	Steps       []plan.Step `json:"steps"`
	// Differences are what the description says otherwise than the one in
	// force, by field: "services.iris.replicas: 1 → 2".
	Differences []string `json:"differences"`
	// Drift are replicas that are not as their release is.
	Drift []string `json:"drift"`
}

// Empty tells whether everything is as it should be.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Differences) == 0 && len(p.Drift) == 0 }

// ServiceDetail is one service with what a person asks next.
type ServiceDetail struct {
	Service
	Environment string          `json:"environment"`
	Description json.RawMessage `json:"description" doc:"the service as described, nothing left to a default"`
	Releases    []ReleaseInfo   `json:"releases" doc:"newest first"`
	// Models are the models it serves, as a ready replica tells
	// (/v2/models/NAME and a request that works); none without a ready one.
	Models []ModelInfo `json:"models"`
}

// ReleaseInfo is one release of a service.
type ReleaseInfo struct {
	Digest    string    `json:"digest"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	Current   bool      `json:"current"`
}

// ModelInfo is one model of a service.
type ModelInfo struct {
	Name     string          `json:"name"`
	Path     string          `json:"path" doc:"of POST requests for predictions, as the service sees it"`
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"the Open Inference Protocol's model metadata"`
	Sample   json.RawMessage `json:"sample,omitempty" doc:"a request body that works"`
}

// ScaleTo asks for a number of replicas; nil goes back to the description.
type ScaleTo struct {
	Replicas *int `json:"replicas" minimum:"0" maximum:"1000"`
}

// LogQuery chooses lines of a service's replicas.
type LogQuery struct {
	Replica string // "" is all of the service
	Tail    int    // last lines of each replica; 0 is all
	Follow  bool   // go on with new lines and new replicas until ctx ends
}

// LogLine is one line that a replica wrote.
type LogLine struct {
	Replica string `json:"replica"`
	Text    string `json:"text"`
}

// TryRequest is a request that the console's playground sends to a service
// through the gateway.
type TryRequest struct {
	Method  string            `json:"method"`
	Path    string            `json:"path" doc:"as the service sees it, with the query"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty" maxLength:"1048576"`
}

// TryResponse is the answer to it.
type TryResponse struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body" doc:"the first MiB"`
	Cut     bool              `json:"cut" doc:"whether there was more"`
	Seconds float64           `json:"seconds"`
}

// Backup writes a copy of the store to w while it is in use.
type Backup func(ctx context.Context, w io.Writer) error
