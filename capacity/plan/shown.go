package plan

import htmltemplate "html/template"

// Charts are a plan's pictures as inline SVG; package chart says what of the
// page they take their colours from.
type Charts struct {
	Capacity htmltemplate.HTML // throughput by replicas, with its interval and what was measured
	Latency  htmltemplate.HTML // response times by load, for the replicas of the first period
	Demand   htmltemplate.HTML // the forecast with its band, and what is borne
	Cost     htmltemplate.HTML // by period and provider; "" without prices
	Costs    []CostLine        // what Cost draws
}

// CostLine is a provider and the class of its line.
type CostLine struct{ Provider, Class string }

// Charts draws the plan.
func (p *Plan) Charts() Charts {
	c := Charts{Capacity: p.capacityChart(), Latency: p.latencyChart(), Demand: p.demandChart()}
	if p.Prices == nil {
		return c
	}
	c.Cost = p.costChart()
	for i, provider := range p.Providers() {
		c.Costs = append(c.Costs, CostLine{provider, string(costColours[i%len(costColours)].Colour)})
	}
	return c
}

// Rate writes requests a second, Seconds a time in the unit that suits it and
// Dollars a price, as every page of a plan does.
func Rate(v float64) string    { return perSecond(v) }
func Seconds(v float64) string { return seconds(v) }
func Dollars(v float64) string { return dollars(v) }

// Words are the functions that a template writes a plan's figures with, so
// that every page says them alike.
func Words() htmltemplate.FuncMap { return functions() }
