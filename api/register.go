package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store"
)

// What requests carry besides their body. huma reads and checks it by the tags;
// it fills embedded structs only where their names are exported.
type (
	none struct{}

	// InEnvironment names an environment.
	InEnvironment struct {
		Env string `path:"env" maxLength:"512" doc:"name of the environment" example:"dev"`
	}
	// OfService names a service.
	OfService struct {
		InEnvironment
		Service string `path:"service" maxLength:"512" doc:"name of the service" example:"iris"`
	}
	// OfReplica names a service or one of its replicas.
	OfReplica struct {
		OfService
		Replica string `query:"replica" maxLength:"512" doc:"id of one replica; all of the service without it" example:"iris-4b7d9aa-1"`
	}

	describing struct {
		InEnvironment
		Body control.Description
	}
	scaling struct {
		OfService
		Body control.ScaleTo
	}
	trying struct {
		OfService
		Body control.TryRequest
	}
	keepingLoad struct {
		OfService
		Body json.RawMessage
	}
	ofLoads struct {
		OfService
		Limit int `query:"limit" minimum:"0" maximum:"200" doc:"at most; 0 is all"`
	}
	// OfLoad names a load test.
	OfLoad struct {
		OfService
		ID string `path:"id" maxLength:"64" doc:"id of the load test" example:"20260102-030405000-4b7d9a"`
	}
	reportingLoad struct {
		OfLoad
		Body control.LoadReport
	}
	ofSeries struct {
		OfService
		Minutes int `query:"minutes" minimum:"1" maximum:"60" default:"15" doc:"how far back"`
		Points  int `query:"points" minimum:"1" maximum:"3600" default:"300" doc:"samples at most"`
	}
	ofLogs struct {
		OfReplica
		Tail   int  `query:"tail" minimum:"0" maximum:"1000000" default:"100" doc:"last lines of each replica; 0 is all"`
		Follow bool `query:"follow" doc:"go on with new lines and new replicas"`
	}
	ofEvents struct {
		Environment string    `query:"environment" maxLength:"512"`
		Service     string    `query:"service" maxLength:"512"`
		Kind        string    `query:"kind" maxLength:"512" example:"replica.started"`
		Subject     string    `query:"subject" maxLength:"512" doc:"a replica, a release"`
		After       int64     `query:"after" minimum:"0" doc:"ids above"`
		Before      int64     `query:"before" minimum:"0" doc:"ids below"`
		Since       time.Time `query:"since" doc:"not earlier"`
		Until       time.Time `query:"until" doc:"earlier"`
		Limit       int       `query:"limit" minimum:"0" maximum:"10000" default:"1000"`
		Newest      bool      `query:"newest" doc:"newest first; else oldest first"`
	}
	ofStream struct {
		LastEventID string   `header:"Last-Event-ID" pattern:"^[0-9]{1,18}$" doc:"go on after this event; from now on without it"`
		Only        []string `query:"only" enum:"status,samples,event,load" doc:"what to send; all of it without"`
	}
)

func (in *ofStream) wants(event string) bool {
	return len(in.Only) == 0 || slices.Contains(in.Only, event)
}

// with is an answer with a body.
type with[T any] struct{ Body T }

// Health is the answer of a control plane that is well.
type Health struct {
	Status string `json:"status" enum:"ok"`
}

// add puts an operation of the table together with what carries it out.
func add[In, Out any](s *server, id string, do func(context.Context, *In) (Out, error), more ...func(*huma.Operation)) {
	op := s.describe(find(id))
	for _, f := range more {
		f(&op)
	}
	huma.Register(s.api, op, func(ctx context.Context, in *In) (*with[Out], error) {
		out, err := do(ctx, in)
		if err != nil {
			return nil, s.failed(id, err)
		}
		return &with[Out]{out}, nil
	})
}

// begin is add for what is begun with the answer and has no body.
func begin[In any](s *server, id string, status int, do func(context.Context, *In) error, more ...func(*huma.Operation)) {
	op := s.describe(find(id))
	op.DefaultStatus = status
	for _, f := range more {
		f(&op)
	}
	huma.Register(s.api, op, func(ctx context.Context, in *In) (*none, error) {
		if err := do(ctx, in); err != nil {
			return nil, s.failed(id, err)
		}
		return nil, nil
	})
}

// serve is add for what writes its answer by itself, unless it fails before.
func serve[In any](s *server, id string, do func(http.ResponseWriter, *http.Request, *In) *failure, more ...func(*huma.Operation)) {
	op := s.describe(find(id))
	for _, f := range more {
		f(&op)
	}
	huma.Register(s.api, op, func(_ context.Context, in *In) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			r, w := humago.Unwrap(ctx)
			if f := do(w, r, in); f != nil {
				_ = s.failed(id, f)
				fail(w, f)
			}
		}}, nil
	})
}

// failed gives an error its status, and tells the log of Greenlight's own faults.
func (s *server) failed(id string, err error) error {
	f := failureOf(err)
	if f.status == http.StatusInternalServerError {
		s.Log.Error("request failed", "operation", id, "err", err)
	}
	return f
}

func (s *server) register() {
	s.registerControl()
	s.registerEnvironments()
	s.registerServices()
	s.registerTokens()
}

func (s *server) registerControl() {
	add(s, "health", func(context.Context, *none) (Health, error) { return Health{"ok"}, nil })
	serve(s, "metrics", func(w http.ResponseWriter, r *http.Request, _ *none) *failure {
		if s.Metrics == nil {
			return newFailure(http.StatusNotFound, greenlight.CodeNotFound, "this control plane keeps no metrics")
		}
		s.Metrics.ServeHTTP(w, r)
		return nil
	}, answers("text/plain", "in the Prometheus text format"))
	add(s, "status", func(ctx context.Context, _ *none) (control.Status, error) { return s.Plane.Status(ctx) })
	serve(s, "stream", func(w http.ResponseWriter, r *http.Request, in *ofStream) *failure {
		return s.stream(w, r, in)
	}, answers("text/event-stream", streamDescription))
	add(s, "events", func(ctx context.Context, in *ofEvents) ([]greenlight.Event, error) {
		return s.Events.ListEvents(ctx, store.EventQuery{
			Kind: in.Kind, Environment: in.Environment, Service: in.Service, Subject: in.Subject,
			After: in.After, Before: in.Before, Since: in.Since, Until: in.Until, Newest: in.Newest, Limit: in.Limit,
		})
	})
	serve(s, "backup", func(w http.ResponseWriter, r *http.Request, _ *none) *failure { return s.backup(w, r) },
		answers("application/octet-stream", "the backup file"))
	begin(s, "restore", http.StatusAccepted, func(ctx context.Context, in *restoring) error {
		return s.restore(ctx, in)
	}, takesFile)
	begin(s, "down", http.StatusAccepted, func(ctx context.Context, _ *none) error { return s.Plane.Down(ctx, actorOf(ctx)) })
}

func (s *server) registerEnvironments() {
	add(s, "apply", func(ctx context.Context, in *describing) (control.Applied, error) {
		return s.Plane.Apply(ctx, in.Env, in.Body, actorOf(ctx))
	})
	add(s, "plan", func(ctx context.Context, in *InEnvironment) (control.Plan, error) { return s.Plane.Plan(ctx, in.Env) })
	add(s, "preview", func(ctx context.Context, in *describing) (control.Plan, error) {
		return s.Plane.Preview(ctx, in.Env, in.Body)
	})
}

func (s *server) registerServices() {
	add(s, "service", func(ctx context.Context, in *OfService) (control.ServiceDetail, error) {
		return s.Plane.Service(ctx, in.Env, in.Service)
	})
	add(s, "series", func(ctx context.Context, in *ofSeries) (observe.Series, error) {
		return s.Plane.Series(ctx, in.Env, in.Service, time.Duration(in.Minutes)*time.Minute, in.Points)
	})
	serve(s, "logs", func(w http.ResponseWriter, r *http.Request, in *ofLogs) *failure {
		return s.logs(w, r, in.Env, in.Service, control.LogQuery{Replica: in.Replica, Tail: in.Tail, Follow: in.Follow})
	}, answers("text/event-stream", logsDescription))
	add(s, "scale", func(ctx context.Context, in *scaling) (control.Service, error) {
		return s.Plane.Scale(ctx, in.Env, in.Service, in.Body, actorOf(ctx))
	})
	begin(s, "restart", http.StatusAccepted, func(ctx context.Context, in *OfReplica) error {
		return s.Plane.Restart(ctx, in.Env, in.Service, in.Replica, actorOf(ctx))
	})
	add(s, "try", func(ctx context.Context, in *trying) (control.TryResponse, error) {
		return s.Plane.Try(ctx, in.Env, in.Service, in.Body)
	}, func(op *huma.Operation) { op.MaxBodyBytes = maxTryBody })
	s.registerTraffic()
	s.registerLoads()
	s.registerCapacity()
}

func (s *server) registerLoads() {
	add(s, "keep-load", func(ctx context.Context, in *keepingLoad) (control.LoadRun, error) {
		return s.Plane.KeepLoad(ctx, in.Env, in.Service, in.Body, actorOf(ctx))
	}, func(op *huma.Operation) { op.MaxBodyBytes = control.MaxLoadResult })
	add(s, "loads", func(ctx context.Context, in *ofLoads) ([]control.LoadRun, error) {
		return s.Plane.Loads(ctx, in.Env, in.Service, in.Limit)
	})
	add(s, "load", func(ctx context.Context, in *OfLoad) (control.LoadDetail, error) {
		return s.Plane.Load(ctx, in.Env, in.Service, in.ID)
	})
	s.registerLiveLoads()
}
