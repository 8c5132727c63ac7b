package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
)

// Bounds of what is kept of capacity plans.
const (
	PlansKept       = 50                        // plans of each service, the newest
	MaxCapacityPlan = capacityplan.MaxFileBytes // bytes of one
	GradesKept      = 50                        // of each plan, the newest

	maxGraded = 400 // measurements, and periods, of one grade
)

// NewestPlan is the id that stands for the newest plan of a service.
const NewestPlan = "newest"

// CapacityPlan is a capacity plan of a service in short.
type CapacityPlan struct {
	ID          string       `json:"id" doc:"sorts by when it was handed in"`
	Environment string       `json:"environment"`
	Service     string       `json:"service"`
	MadeAt      time.Time    `json:"made_at"`
	ExpiresAt   time.Time    `json:"expires_at"`
	ExpiresWhy  string       `json:"expires_why"`
	By          string       `json:"by" doc:"who handed the plan in"`
	Summary     string       `json:"summary" doc:"the plan in a sentence or two"`
	Bottleneck  string       `json:"bottleneck" doc:"what gives way first: replicas, or a shared stage"`
	Limit       float64      `json:"limit" doc:"requests a second that the bottleneck bears within the SLO"`
	Period      string       `json:"period" doc:"the first one"`
	Replicas    int          `json:"replicas" doc:"planned for the first period"`
	Peak        float64      `json:"peak" doc:"of the first period, at the high end of its band; requests a second"`
	Met         bool         `json:"met" doc:"every period's peak is borne within the SLO"`
	P99         float64      `json:"p99" doc:"of the SLO, seconds"`
	Law         capacity.Law `json:"law" doc:"throughput by number of replicas"`
	MaxN        float64      `json:"max_n" doc:"the most replicas that were measured"`
	// Grade is the newest, without its measurements and periods.
	Grade *CapacityGrade `json:"grade,omitempty" doc:"the newest one, without its measurements and periods"`
	// Alert is not kept with the plan.
	Alert *Alert `json:"alert,omitempty" doc:"that it has expired by what production did"`
}

// Expired tells whether the plan has stopped to hold: by its date, because a
// measurement differed from it by more than it allows, or by what production
// did.
func (c *CapacityPlan) Expired(now time.Time) bool {
	return !now.Before(c.ExpiresAt) || c.Grade != nil && c.Grade.Expired || c.Alert != nil
}

// CapacityGrade is what a plan came to when it was held against something
// measured later.
type CapacityGrade struct {
	At time.Time `json:"at"`
	By string    `json:"by" doc:"who handed it in"`
	capacityplan.Grade
}

// CapacityDetail is a capacity plan with everything in it.
type CapacityDetail struct {
	CapacityPlan
	Grades []CapacityGrade `json:"grades" doc:"newest first"`
	Plan   json.RawMessage `json:"plan" doc:"as greenlight capacity plan writes plan.json"`
}

// Read is the plan itself.
func (d *CapacityDetail) Read() (*capacityplan.Plan, error) {
	return capacityplan.Read(bytes.NewReader(d.Plan))
}

// capacityFolder has the capacity plans in the state folder.
const capacityFolder = "capacity"

// KeepPlan keeps a plan that greenlight capacity plan wrote, and forgets the
// oldest where there are too many. A plan of another service than the one that
// it is handed in for is CodeInvalid.
func (p *Plane) KeepPlan(ctx context.Context, environment, service string, text json.RawMessage, actor string) (CapacityPlan, error) {
	if len(text) > MaxCapacityPlan {
		return CapacityPlan{}, greenlight.Errorf(greenlight.CodeInvalid, "the plan has %d bytes, %d are the most", len(text), MaxCapacityPlan)
	}
	folder, err := p.keptFolder(capacityFolder, environment, service)
	if err != nil {
		return CapacityPlan{}, err
	}
	read, err := capacityplan.Read(bytes.NewReader(text))
	if err != nil {
		return CapacityPlan{}, err
	}
	if read.Service != service {
		return CapacityPlan{}, greenlight.Errorf(greenlight.CodeInvalid, "this is a plan of the service %s, not of %s", clip(read.Service, 60), service)
	}
	kept := capacityInShort(read)
	kept.Environment, kept.Service, kept.By = environment, service, actor
	if kept.ID, err = newKeptID(time.Now()); err != nil {
		return CapacityPlan{}, err
	}
	if err := p.keepFile(ctx, folder, kept.ID, &kept, text, kept.event(), PlansKept); err != nil {
		return CapacityPlan{}, err
	}
	return kept, nil
}

// maxCapacityText bounds what a summary takes over from a client's plan.
const maxCapacityText = 1000

func capacityInShort(p *capacityplan.Plan) CapacityPlan {
	first := p.Periods[0]
	kept := CapacityPlan{
		MadeAt: p.MadeAt, ExpiresAt: p.ExpiresAt, ExpiresWhy: clip(p.ExpiresWhy, maxCapacityText), Summary: clip(p.Summary, maxCapacityText),
		Bottleneck: clip(p.Bottleneck.Name, maxCapacityText), Limit: p.Bottleneck.Limit, Period: clip(first.Label, maxCapacityText),
		Replicas: first.Replicas, Peak: first.Peak.High, Met: true, P99: p.SLO.P99, Law: p.Evidence.Law, MaxN: p.Evidence.MaxN,
	}
	for _, d := range p.Periods {
		kept.Met = kept.Met && d.Met
	}
	return kept
}

func (c *CapacityPlan) event() greenlight.Event {
	return greenlight.Event{
		Actor: c.By, Kind: "capacity.planned", Environment: c.Environment, Service: c.Service, Subject: c.ID,
		Message: clip("capacity plan: "+c.Summary, maxMessage),
		Evidence: map[string]any{
			"replicas": c.Replicas, "period": c.Period, "peak": c.Peak, "met": c.Met, "p99": c.P99, "bottleneck": c.Bottleneck, "limit": c.Limit,
			"alpha": c.Law.Alpha, "beta": c.Law.Beta, "gamma": c.Law.Gamma, "max_n": c.MaxN, "made_at": c.MadeAt, "expires_at": c.ExpiresAt,
		},
	}
}

// Plans are the capacity plans of a service that are kept, newest first, at
// most limit; 0 is all.
func (p *Plane) Plans(_ context.Context, environment, service string, limit int) ([]CapacityPlan, error) {
	folder, err := p.keptFolder(capacityFolder, environment, service)
	if err != nil {
		return nil, err
	}
	list, err := listKept[CapacityPlan](folder, limit)
	for i := range list {
		list[i].Alert = p.alertOf(&list[i])
	}
	return list, err
}

// CapacityPlan is one capacity plan of a service; NewestPlan is the newest.
func (p *Plane) CapacityPlan(_ context.Context, environment, service, id string) (CapacityDetail, error) {
	folder, err := p.keptFolder(capacityFolder, environment, service)
	if err != nil {
		return CapacityDetail{}, err
	}
	d, err := readCapacity(folder, service, id)
	d.Alert = p.alertOf(&d.CapacityPlan)
	return d, err
}

func readCapacity(folder, service, id string) (d CapacityDetail, err error) {
	if id == NewestPlan {
		ids, err := keptIDs(folder)
		if err != nil {
			return d, err
		}
		if len(ids) == 0 {
			return d, greenlight.Errorf(greenlight.CodeNotFound, "no capacity plan of %s is kept yet; greenlight capacity plan %s makes one", service, service)
		}
		id = ids[0]
	}
	d.Plan, err = readKept(folder, id, &d.CapacityPlan)
	if errors.Is(err, fs.ErrNotExist) {
		return d, greenlight.Errorf(greenlight.CodeNotFound, "no capacity plan %q of %s is kept; greenlight capacity list shows those that are", clip(id, 60), service)
	}
	if err != nil {
		return d, err
	}
	d.Grades = []CapacityGrade{}
	err = readJSON(filepath.Join(folder, id+gradesEnding), &d.Grades)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it has none
	}
	return d, err
}

// KeepGrade attaches a grade to a plan that is kept; its text and whether the
// plan has expired are told by an event.
func (p *Plane) KeepGrade(ctx context.Context, environment, service, id string, g capacityplan.Grade, actor string) (CapacityPlan, error) {
	if err := checkGrade(&g); err != nil {
		return CapacityPlan{}, err
	}
	folder, err := p.keptFolder(capacityFolder, environment, service)
	if err != nil {
		return CapacityPlan{}, err
	}
	p.keeping.Lock()
	defer p.keeping.Unlock()
	d, err := readCapacity(folder, service, id)
	if err != nil {
		return CapacityPlan{}, err
	}
	graded := CapacityGrade{At: time.Now().UTC(), By: actor, Grade: g}
	grades := append([]CapacityGrade{graded}, d.Grades...)
	if err := writeJSON(filepath.Join(folder, d.ID+gradesEnding), grades[:min(len(grades), GradesKept)]); err != nil {
		return CapacityPlan{}, err
	}
	graded.Capacity, graded.Demand = nil, nil
	d.Grade = &graded
	if err := writeJSON(filepath.Join(folder, d.ID+summaryEnding), &d.CapacityPlan); err != nil {
		return CapacityPlan{}, err
	}
	_, err = p.options.Store.Record(ctx, d.gradedEvent(len(g.Capacity), len(g.Demand)))
	p.newEvidence()
	return d.CapacityPlan, err
}

func checkGrade(g *capacityplan.Grade) error {
	switch {
	case len(g.Capacity) > maxGraded || len(g.Demand) > maxGraded:
		return greenlight.Errorf(greenlight.CodeInvalid, "the grade has %d measurements and %d periods; %d of each are the most", len(g.Capacity), len(g.Demand), maxGraded)
	case g.Of < 1 || g.Of != len(g.Capacity)+len(g.Demand) || g.Held < 0 || g.Held > g.Of:
		return greenlight.Errorf(greenlight.CodeInvalid, "the grade says that %d of %d intervals held, and has %d measurements and %d periods", g.Held, g.Of, len(g.Capacity), len(g.Demand))
	case !(g.Worst >= 0) || !(g.Limit > 0):
		return greenlight.Errorf(greenlight.CodeInvalid, "the grade's worst error is %v and its limit %v; want shares of 0 or more", g.Worst, g.Limit)
	}
	g.Text = clip(g.Text, maxCapacityText)
	for i := range g.Demand {
		g.Demand[i].Label = clip(g.Demand[i].Label, maxCapacityText)
	}
	return nil
}

func (c *CapacityPlan) gradedEvent(measurements, periods int) greenlight.Event {
	g := c.Grade
	return greenlight.Event{
		Actor: g.By, Kind: "capacity.graded", Environment: c.Environment, Service: c.Service, Subject: c.ID,
		Message: clip(fmt.Sprintf("capacity plan of %s graded: %s", c.MadeAt.Format(time.DateOnly), g.Text), maxMessage),
		Evidence: map[string]any{
			"worst": g.Worst, "limit": g.Limit, "held": g.Held, "of": g.Of, "expired": g.Expired, "measurements": measurements, "periods": periods,
		},
	}
}

// WhatIf is a capacity plan that was made anew with changes.
type WhatIf struct {
	From string          `json:"from" doc:"the plan that it was made from"`
	Plan json.RawMessage `json:"plan" doc:"as greenlight capacity plan writes plan.json"`
}

// WhatIf makes a plan that is kept anew with changes, and keeps nothing of it.
func (p *Plane) WhatIf(ctx context.Context, environment, service, id string, change capacityplan.Change) (WhatIf, error) {
	d, err := p.CapacityPlan(ctx, environment, service, id)
	if err != nil {
		return WhatIf{}, err
	}
	read, err := d.Read()
	if err != nil {
		return WhatIf{}, err
	}
	changed, err := capacityplan.Rethink(read, change)
	if err != nil {
		return WhatIf{}, err
	}
	text, err := json.Marshal(changed)
	if err != nil { // a figure that is none, of evidence that no measurement gives
		return WhatIf{}, greenlight.Errorf(greenlight.CodeInvalid, "the plan cannot be reckoned with: %w", err)
	}
	return WhatIf{From: d.ID, Plan: text}, nil
}
