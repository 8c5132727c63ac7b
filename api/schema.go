package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/store"
)

// humaOwn begins the names of huma's own types, which are left out.
const humaOwn = "Huma"

func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[ErrorBody]():
		return "Error"
	case strings.HasPrefix(t.PkgPath(), "github.com/danielgtaylor/huma"):
		return humaOwn + name
	}
	return name
}

// words are the values of types that are words; their fields are of a package
// that knows nothing of huma, or stand in many places.
func words() map[reflect.Type][]any {
	return map[reflect.Type][]any{
		reflect.TypeFor[control.Health]():          {control.Good, control.Changing, control.Asleep, control.Degraded, control.Down},
		reflect.TypeFor[store.Role]():              {store.RoleViewer, store.RoleOperator, store.RoleAdmin},
		reflect.TypeFor[plan.Kind]():               {plan.StartReplica, plan.RestartReplica, plan.Route, plan.StopReplica},
		reflect.TypeFor[greenlight.ReplicaState](): replicaStates,
		reflect.TypeFor[greenlight.Code]():         codes(),
	}
}

var replicaStates = []any{
	greenlight.ReplicaStarting, greenlight.ReplicaReady, greenlight.ReplicaUnready,
	greenlight.ReplicaStopping, greenlight.ReplicaFailed, greenlight.ReplicaCrashing,
}

func codes() []any {
	var list []any
	for _, s := range statuses {
		list = append(list, s.code)
	}
	return list
}

// requests are the schemas of bodies that come in: they are strict, whereas
// answers may get more fields.
var requests = []reflect.Type{
	reflect.TypeFor[control.Description](), reflect.TypeFor[control.ScaleTo](),
	reflect.TypeFor[control.TryRequest](), reflect.TypeFor[TokenRequest](),
}

// finish makes the schemas say what is so, where huma cannot know it.
func (s *server) finish() {
	document := s.api.OpenAPI()
	registry := document.Components.Schemas
	for _, t := range []reflect.Type{reflect.TypeFor[control.LogLine](), reflect.TypeFor[observe.Sample]()} {
		registry.Schema(t, true, "") // only streams have them
	}
	document.Components.Responses = map[string]*huma.Response{failed: s.failureResponse()}
	for name, schema := range registry.Map() {
		if strings.HasPrefix(name, humaOwn) {
			delete(registry.Map(), name)
			continue
		}
		finishSchema(schema, registry.TypeFromRef("#/components/schemas/"+name))
	}
	for _, path := range document.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Put, path.Post, path.Delete} {
			if op != nil {
				finishOperation(op)
			}
		}
	}
}

func finishOperation(op *huma.Operation) {
	op.Responses["default"] = &huma.Response{Ref: "#/components/responses/" + failed}
	for _, p := range op.Parameters {
		p.Schema.Description, p.Schema.Nullable = "", false // said of the parameter; it may be absent
	}
	if r := op.Responses["200"]; r != nil {
		for _, media := range r.Content {
			media.Schema.Nullable = false
		}
	}
}

func finishSchema(schema *huma.Schema, t reflect.Type) {
	if !slices.Contains(requests, t) {
		schema.AdditionalProperties = nil
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		field := schema.Properties[name]
		if field == nil {
			continue
		}
		if field.Type == huma.TypeArray {
			field.Nullable = false
		}
		if values := words()[f.Type]; values != nil && field.Enum == nil {
			field.Enum = values
		}
	}
}

// serveDescription serves openapi.yaml and its JSON.
func (s *server) serveDescription() error {
	s.finish()
	inJSON, err := json.Marshal(s.api.OpenAPI())
	if err != nil {
		return err
	}
	inYAML, err := s.api.OpenAPI().YAML()
	if err != nil {
		return err
	}
	s.serveText("GET /api/openapi.json", "application/openapi+json", inJSON)
	s.serveText("GET /api/openapi.yaml", "application/openapi+yaml", inYAML)
	return nil
}

func (s *server) serveText(pattern, contentType string, text []byte) {
	s.guarded.handle(pattern, anyone, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(text) // who asked may be gone
	}))
}
