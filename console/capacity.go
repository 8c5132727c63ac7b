package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

// capacitiesPage lists the newest capacity plan of each service.
type capacitiesPage struct {
	Rows    []capacityRow
	Without []target // services that have none
	Several bool     // whether there are several environments
	Example string   // a service that a plan can be made of; "" when there is none
}

// capacityRow is a capacity plan in short.
type capacityRow struct {
	control.CapacityPlan
	now    time.Time
	stands *capacityplan.Standing // nil where only what was kept is known
}

// Path is where the plan is shown.
func (r capacityRow) Path() string {
	return capacityPath(r.Environment, r.Service) + "/" + url.PathEscape(r.ID)
}

// All is where the newest plan of its service is shown.
func (r capacityRow) All() string { return capacityPath(r.Environment, r.Service) }

// Over tells whether the plan has stopped to hold.
func (r capacityRow) Over() bool { return r.Expired(r.now) || r.stands != nil && r.stands.Expired }

// State is how the plan stands, in a word or two.
func (r capacityRow) State() string {
	switch {
	case r.Over():
		return "expired"
	case !r.Met:
		return "not met"
	}
	return "holds"
}

// Tone is the colour of State.
func (r capacityRow) Tone() string {
	return map[string]string{"expired": "stop", "not met": "hold", "holds": "go"}[r.State()]
}

// Why says what State does not; "" where there is nothing to explain.
func (r capacityRow) Why() string {
	switch {
	case r.stands != nil && r.stands.Expired:
		return r.stands.Why()
	case r.Alert != nil:
		return r.Alert.Text
	case r.Grade != nil && r.Grade.Expired:
		return r.Grade.Text
	case r.Over():
		return "since " + r.ExpiresAt.Format("2 January 2006") + ": " + r.ExpiresWhy
	}
	return ""
}

func capacityPath(environment, service string) string {
	return "/capacity/" + url.PathEscape(environment) + "/" + url.PathEscape(service)
}

func (c *console) capacities(r *http.Request, status control.Status) (page, error) {
	p := capacitiesPage{Several: len(status.Environments) > 1}
	for _, s := range systemsOf(status.Environments) {
		for _, l := range s.Lanes {
			for _, of := range l.Services {
				if p.Example == "" || of.Kind == "model" && of.Ready > 0 {
					p.Example = l.Name + "/" + of.Name
				}
				row, err := c.newestPlan(r.Context(), l.Name, of.Name)
				switch {
				case err != nil:
					return page{}, err
				case row != nil:
					p.Rows = append(p.Rows, *row)
				default:
					p.Without = append(p.Without, target{of.Name, l.Name, capacityPath(l.Name, of.Name)})
				}
			}
		}
	}
	return page{Name: "capacities", Title: "Capacity", Content: p}, nil
}

// newestPlan is the newest capacity plan of a service; nil where there is
// none.
func (c *console) newestPlan(ctx context.Context, environment, service string) (*capacityRow, error) {
	plans, err := c.Plane.Plans(ctx, environment, service, 1)
	if err != nil && greenlight.CodeOf(err) != greenlight.CodeNotFound { // it may have gone since the status
		return nil, err
	}
	if len(plans) == 0 {
		return nil, nil
	}
	return &capacityRow{CapacityPlan: plans[0], now: time.Now()}, nil
}

// capacityPage is a capacity plan with what it would be if something were
// different.
type capacityPage struct {
	capacityRow
	Plan   *capacityplan.Plan // with the changes
	Was    *capacityplan.Plan // as it was made
	Charts capacityplan.Charts
	Knobs  []knob
	Losses losses
	Wrong  string // why the changes cannot be; the plan is then as it was made
	Grades []control.CapacityGrade
	Plans  []capacityRow // all of the service, newest first
}

// Changed tells whether the plan is another one than was made.
func (p capacityPage) Changed() bool { return p.Plan != p.Was }

// Newest tells whether there is no newer plan.
func (p capacityPage) Newest() bool { return len(p.Plans) == 0 || p.Plans[0].ID == p.ID }

// Stands is how the plan stands against what came since it was made.
func (p capacityPage) Stands() *capacityplan.Standing { return p.stands }

// LoadTest is where a load test of the service is shown.
func (p capacityPage) LoadTest(id string) string { return loadPath(p.Environment, p.Service, id) }

// First is the plan's first period.
func (p capacityPage) First() capacityplan.Period { return p.Plan.Periods[0] }

// Most is the period with the most replicas.
func (p capacityPage) Most() capacityplan.Period { return mostReplicas(p.Plan) }

func mostReplicas(p *capacityplan.Plan) capacityplan.Period {
	most := p.Periods[0]
	for _, d := range p.Periods {
		if d.Replicas > most.Replicas {
			most = d
		}
	}
	return most
}

// Rows are the plan's periods beside what they were.
func (p capacityPage) Rows() []capacityPeriod {
	rows := make([]capacityPeriod, len(p.Plan.Periods))
	for i, d := range p.Plan.Periods {
		rows[i] = capacityPeriod{Period: d}
		if p.Changed() && i < len(p.Was.Periods) {
			rows[i].Was = p.Was.Periods[i].Replicas
		}
	}
	return rows
}

// capacityPeriod is a period; Was is how many replicas it had before it was
// changed, 0 where nothing is.
type capacityPeriod struct {
	capacityplan.Period
	Was int
}

// Cheapest is the cheapest price of the period; nil without any.
func (d capacityPeriod) Cheapest() *capacityplan.Cost {
	var best *capacityplan.Cost
	for i := range d.Costs {
		if best == nil || d.Costs[i].Monthly < best.Monthly {
			best = &d.Costs[i]
		}
	}
	return best
}

// Figures are the plan at a glance.
func (p capacityPage) Figures() []capacityFigure {
	words := p.figuresOf(p.Plan)
	if !p.Changed() {
		return words
	}
	for i, was := range p.figuresOf(p.Was) {
		if i < len(words) && was.Name == words[i].Name && was.Value != words[i].Value {
			words[i].Was = was.Value
		}
	}
	return words
}

// capacityFigure is one figure; Was is "" where nothing has changed.
type capacityFigure struct{ Name, Value, Note, Was string }

func (p capacityPage) figuresOf(of *capacityplan.Plan) []capacityFigure {
	first, most := of.Periods[0], mostReplicas(of)
	p99 := none
	if first.P99 != nil {
		p99 = capacityplan.Seconds(first.P99.Value)
	}
	list := []capacityFigure{
		{Name: "Replicas now", Value: fmt.Sprint(first.Replicas), Note: first.Label},
		{Name: "Replicas at most", Value: fmt.Sprint(most.Replicas), Note: most.Label},
		{Name: "p99 at the peak", Value: p99, Note: "of " + capacityplan.Seconds(of.SLO.P99) + " promised"},
		{Name: "Gives way at", Value: capacityplan.Rate(of.Bottleneck.Limit), Note: "the " + of.Bottleneck.Name},
	}
	cost := of.Cheapest()
	if cost == nil {
		return list
	}
	list = append(list, capacityFigure{Name: "A month", Value: capacityplan.Dollars(cost.Monthly), Note: fmt.Sprintf("%s, %d × %s", cost.Provider, cost.Machines, cost.Type)})
	if cost.PerMillion != nil {
		list = append(list, capacityFigure{Name: "A million answers", Value: capacityplan.Dollars(*cost.PerMillion), Note: "at the mean rate"})
	}
	return list
}

func (c *console) capacity(r *http.Request, _ control.Status) (page, error) {
	environment, service, id := r.PathValue("environment"), r.PathValue("service"), r.PathValue("id")
	plans, err := c.Plane.Plans(r.Context(), environment, service, 0)
	if err != nil {
		return page{}, err
	}
	out := page{Name: "capacity", Title: "Capacity of " + service, Environment: environment, Service: service}
	if len(plans) == 0 && id == "" {
		out.Content = capacityPage{capacityRow: capacityRow{CapacityPlan: control.CapacityPlan{Environment: environment, Service: service}}}
		return out, nil
	}
	if id == "" {
		id = control.NewestPlan
	}
	detail, err := c.Plane.CapacityPlan(r.Context(), environment, service, id)
	if err != nil {
		return page{}, err
	}
	was, err := detail.Read()
	if err != nil {
		return page{}, err
	}
	p := capacityOf(detail, was, plans, r.URL.Query())
	p.stands, err = c.Plane.Standing(r.Context(), environment, service, detail.ID)
	out.Content = p
	return out, err
}

func capacityOf(d control.CapacityDetail, was *capacityplan.Plan, plans []control.CapacityPlan, asked url.Values) capacityPage {
	now := time.Now()
	p := capacityPage{capacityRow: capacityRow{CapacityPlan: d.CapacityPlan, now: now}, Plan: was, Was: was, Grades: d.Grades}
	for _, other := range plans {
		p.Plans = append(p.Plans, capacityRow{CapacityPlan: other, now: now})
	}
	var change capacityplan.Change
	p.Knobs, p.Losses, p.Wrong = readKnobs(was, asked, &change)
	if p.Wrong == "" && !change.Empty() {
		if changed, err := capacityplan.Rethink(was, change); err != nil {
			p.Wrong = err.Error()
		} else {
			p.Plan = changed
		}
	}
	if was.Policy.SurviveZone && !p.Plan.Policy.SurviveZone && !p.Losses.Changed() {
		p.Losses.Note = "of the only zone it cannot"
	}
	p.Charts = p.Plan.Charts()
	return p
}
