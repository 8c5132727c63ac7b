package api

import (
	"context"
	"encoding/json"
	"io"
	"time"

	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
)

// Plane is the control plane as the API serves it. All methods may be called
// at the same time; errors carry a greenlight code, which decides the status.
type Plane interface {
	Status(ctx context.Context) (control.Status, error)
	// Changed gives a channel that is closed at the next change of status;
	// then ask again.
	Changed() <-chan struct{}
	// Samples are the last full second of every service, by
	// "<environment>/<service>".
	Samples() map[string]observe.Sample

	Apply(ctx context.Context, environment string, d control.Description, actor string) (control.Applied, error)
	// Preview says what Apply would do and changes nothing.
	Preview(ctx context.Context, environment string, d control.Description) (control.Plan, error)
	// Plan compares what is with the description in force.
	Plan(ctx context.Context, environment string) (control.Plan, error)

	Service(ctx context.Context, environment, service string) (control.ServiceDetail, error)
	Series(ctx context.Context, environment, service string, since time.Duration, points int) (observe.Series, error)
	// Traffic is what a service was asked, by hour or day, oldest first.
	Traffic(ctx context.Context, environment, service string, q control.TrafficQuery) ([]control.TrafficPeriod, error)
	// Logs gives line after line to emit until there are no more, ctx is
	// done, or emit fails. What is wrong with the query is an error before
	// the first line.
	Logs(ctx context.Context, environment, service string, q control.LogQuery, emit func(control.LogLine) error) error
	Scale(ctx context.Context, environment, service string, to control.ScaleTo, actor string) (control.Service, error)
	// Restart replaces a service's replicas, or the one that is named, and
	// returns when that has begun.
	Restart(ctx context.Context, environment, service, replica, actor string) error
	// Try sends one request through the gateway.
	Try(ctx context.Context, environment, service string, r control.TryRequest) (control.TryResponse, error)

	// KeepLoad keeps the result of a load test, as greenlight load writes it.
	KeepLoad(ctx context.Context, environment, service string, result json.RawMessage, actor string) (control.LoadRun, error)
	// Loads are the tests of a service that are kept, newest first, at most
	// limit; 0 is all.
	Loads(ctx context.Context, environment, service string, limit int) ([]control.LoadRun, error)
	Load(ctx context.Context, environment, service, id string) (control.LoadDetail, error)

	// ReportLoad takes in how a load test goes and tells whether it has to
	// stop.
	ReportLoad(ctx context.Context, environment, service, id string, r control.LoadReport, actor string) (control.LoadOrder, error)
	// LiveLoads are the load tests of a service that run, oldest first, with
	// the seconds that are over.
	LiveLoads(ctx context.Context, environment, service string) ([]control.LiveLoad, error)
	// StopLoad asks a load test to stop.
	StopLoad(ctx context.Context, environment, service, id, actor string) (control.LiveLoad, error)
	// RunningLoads are the load tests of every service that run, without the
	// seconds that are over.
	RunningLoads() []control.LiveLoad
	// LoadsChanged gives a channel that is closed at the next report of a load
	// test; then ask again.
	LoadsChanged() <-chan struct{}

	// KeepPlan keeps a capacity plan, as greenlight capacity plan writes it.
	KeepPlan(ctx context.Context, environment, service string, plan json.RawMessage, actor string) (control.CapacityPlan, error)
	// Plans are the capacity plans of a service that are kept, newest first,
	// at most limit; 0 is all.
	Plans(ctx context.Context, environment, service string, limit int) ([]control.CapacityPlan, error)
	// CapacityPlan is one of them; control.NewestPlan is the newest.
	CapacityPlan(ctx context.Context, environment, service, id string) (control.CapacityDetail, error)
	// KeepGrade attaches to a plan what it came to.
	KeepGrade(ctx context.Context, environment, service, id string, g capacityplan.Grade, actor string) (control.CapacityPlan, error)
	// WhatIf makes a plan anew with changes and keeps nothing of it.
	WhatIf(ctx context.Context, environment, service, id string, change capacityplan.Change) (control.WhatIf, error)

	Backup(ctx context.Context, w io.Writer) error
	// Restore reads and checks a backup; when it returns without an error the
	// control plane is about to start anew with it.
	Restore(ctx context.Context, r io.Reader, actor string) error
	// Down begins to stop everything, this process last.
	Down(ctx context.Context, actor string) error
}
