package plan

import (
	_ "embed"
	htmltemplate "html/template"
	"io"
)

//go:embed plan.html
var htmlPage string

// WriteHTML writes the plan with charts as one file that needs no other.
func (p *Plan) WriteHTML(out io.Writer) error {
	page, err := htmltemplate.New("plan").Funcs(functions()).Parse(htmlPage)
	if err != nil {
		return err
	}
	data := struct {
		*Plan
		CapacityChart, LatencyChart, DemandChart, CostChart htmltemplate.HTML
		CostClasses                                         []string
		Settings, Autoscaler                                string
	}{
		Plan: p, CapacityChart: p.capacityChart(), LatencyChart: p.latencyChart(), DemandChart: p.demandChart(),
		CostClasses: costClasses, Settings: p.ReplicasYAML(), Autoscaler: p.HPA(),
	}
	if p.Prices != nil {
		data.CostChart = p.costChart()
	}
	return page.Execute(out, data)
}
