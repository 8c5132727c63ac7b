package plan

import (
	"math"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/price"
)

// reserve is the share of a machine that its own system takes.
const reserve = 0.1

// price puts a price on every period. Where nothing is known of a replica's
// size, or no machine holds one, there is none.
func (c *carry) price(p *Plan) error {
	if c.in.Replica.CPU == 0 && c.in.Replica.Memory == 0 {
		return nil
	}
	for i := range p.Periods {
		if err := c.priceOne(&p.Periods[i]); err != nil {
			return err
		}
	}
	p.Prices = &Prices{AsOf: c.in.Prices.AsOf}
	for _, provider := range c.in.Prices.Providers {
		p.Prices.Sources = append(p.Prices.Sources, provider.Source)
	}
	return nil
}

func (c *carry) priceOne(p *Period) error {
	need := c.needOf(p.Replicas)
	for _, provider := range c.in.Prices.Providers {
		choice, err := provider.Cheapest(need)
		if greenlight.CodeOf(err) == greenlight.CodeUnsupported {
			continue
		}
		if err != nil {
			return err
		}
		cost := Cost{
			Provider: provider.Name, Region: provider.Region, Type: choice.Type.Name,
			PerMachine: choice.PerMachine, Machines: choice.Machines, Monthly: cents(choice.MonthlyUSD),
		}
		if million := price.PerMillion(choice.MonthlyUSD, p.Mean.Expected); !math.IsInf(million, 0) {
			million = round(million)
			cost.PerMillion = &million
		}
		p.Costs = append(p.Costs, cost)
	}
	return nil
}

// needOf spreads replicas so that a machine's loss takes no more of them than
// a zone's; without zones, so that some are left.
func (c *carry) needOf(replicas int) price.Need {
	policy := c.in.Policy
	n := price.Need{CPU: c.in.Replica.CPU, Memory: c.in.Replica.Memory, Replicas: replicas, LeastMachines: policy.Zones, Reserve: reserve}
	if policy.SurviveReplica {
		n.LeastMachines = max(n.LeastMachines, 2)
	}
	if policy.SurviveZone {
		n.MostPerMachine = max(1, inZone(replicas, policy.Zones))
	}
	return n
}

func cents(v float64) float64 { return math.Round(100*v) / 100 }
