package api

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// version is the API's own, not the program's: it changes with openapi.yaml.
const version = "1.0.0"

const about = `The control plane of Greenlight.

Over the unix socket <state>/control.sock everything is allowed, and over a loopback address to the control plane's
own user and root; other users of the machine need a token there. Over loopback what changes something needs the
header X-Greenlight: 1 or a JSON body, and web pages of other origins are refused.
Beyond this machine every request needs a token: Authorization: Bearer glt_….
Roles: viewer reads; operator also applies, scales, restarts and tries; admin does everything.`

const streamDescription = `Server-sent events. "status" has a Status, first at once and then when it changed, at most once a second.
"samples" has the last second of every service, {"<environment>/<service>": Sample}, every second.
"event" has an Event with its id as the event's id; Last-Event-ID goes on after it.
"load" has every load test that runs, a list of LiveLoad, first at once and then whenever one has reported or is gone.
"failure" has an Error and ends the stream. A client that reads slowly gets the newest status, not all of them.
A comment line comes every 15 s. At most 256 streams are open at a time.`

const logsDescription = `Server-sent events. "line" has a LogLine; "end" says that there is no more; "failure" has an Error and
ends the stream. A stream that ends without "end" or "failure" was cut off: ask again.`

// configuration is huma without what it would add by itself.
func configuration() huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Greenlight", Version: version, Description: about,
				License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "http://127.0.0.1:7070", Description: "what greenlight up listens on"}},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":    {Type: "http", Scheme: "bearer", Description: "a token made by POST /api/v1/tokens"},
					"password": {Type: "http", Scheme: "basic", Description: "any name with a token as password, for browsers"},
				},
			},
			Tags: []*huma.Tag{
				{Name: "control plane"}, {Name: "environments"}, {Name: "services"}, {Name: "tokens"},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
		Transformers:                 []huma.Transformer{translate},
	}
}

// describe is how an operation stands in openapi.yaml.
func (s *server) describe(o operation) huma.Operation {
	op := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Tags: []string{o.tag()},
		MaxBodyBytes: maxBody, Responses: map[string]*huma.Response{},
	}
	if o.role == anyone {
		op.Description = "Needs no token."
	} else {
		op.Description = strings.TrimSpace("Role: " + string(o.role) + ". " + o.more)
		op.Security = []map[string][]string{{"token": {}}, {"password": {}}, {}}
	}
	return op
}

// answers says what an operation that writes its answer by itself gives.
func answers(contentType, description string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		schema := &huma.Schema{Type: huma.TypeString}
		if contentType == "application/octet-stream" {
			schema.Format = "binary"
		}
		op.Responses["200"] = &huma.Response{
			Description: description,
			Content:     map[string]*huma.MediaType{contentType: {Schema: schema}},
		}
	}
}

// takesFile says that a request's body is a file of bytes.
func takesFile(op *huma.Operation) {
	op.RequestBody = &huma.RequestBody{
		Description: "a file that POST /api/v1/backup gave", Required: true,
		Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		},
	}
}

// failed is how every operation may fail.
const failed = "failed"

func (s *server) failureResponse() *huma.Response {
	var b strings.Builder
	b.WriteString("What went wrong. The code decides the status:")
	for _, known := range statuses {
		fmt.Fprintf(&b, " %s %d,", known.code, known.status)
	}
	b.WriteString(" but a missing or wrong token is 401, too many of them 429, a body that is too large 413.")
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[ErrorBody](), true, "")
	return &huma.Response{Description: b.String(), Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

// tag is the group of an operation.
func (o operation) tag() string {
	switch {
	case strings.HasPrefix(o.path, service):
		return "services"
	case strings.Contains(o.path, "/environments/"):
		return "environments"
	case strings.Contains(o.path, "/tokens"):
		return "tokens"
	}
	return "control plane"
}
