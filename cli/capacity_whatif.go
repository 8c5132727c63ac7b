package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// whatIfOptions are flags that change a plan; those that nobody gives leave it
// as it is.
type whatIfOptions struct {
	rate                   float64
	growth, headroom, hits string
	slo                    []string
	zones                  int
	loseReplica, loseZone  bool
	output                 string
	json                   bool
}

func newCapacityWhatIf(env Env) *cobra.Command {
	var o whatIfOptions
	cmd := &cobra.Command{
		Use:   "what-if PLAN.json",
		Short: "Make a capacity plan anew with something changed",
		Long: `Make a plan anew from what PLAN.json rests on, with what the flags change. Nothing
is measured or forecast again; what no flag names stays as it was.

A rate is what comes now, on average: the forecast is stretched to it. Growth
replaces what was stated, or comes on top of what the past shows. With one zone,
its loss cannot be survived any more.

Where the peak of a period is not met, whatever the number of replicas, neither a
number nor a price is printed for it, and the exit code is 3: without a flag that
changes something, PLAN.json itself is held against its SLO.
` + exitCodesHelp,
		Example: `  greenlight capacity what-if capacity-plan/plan.json --rate 800 --zones 3 --survive-zone
  greenlight capacity what-if plan.json --slo 'p99<30ms' --json | jq '.periods[0].replicas'`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(env, cmd.Flags(), args[0]) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Float64Var(&o.rate, "rate", 0, "requests a second that come now, on average")
	f.StringVar(&o.growth, "growth", "", "by how much that grows each month: 5%")
	f.StringArrayVar(&o.slo, "slo", nil, "what is promised: p99<50ms, errors<0.1%; may be given several times")
	f.StringVar(&o.headroom, "headroom", "", "load beyond the forecast that must be borne: 30%")
	f.StringVar(&o.hits, "cache-hit-rate", "", "share of the requests that a response cache answers: 40%")
	f.IntVar(&o.zones, "zones", 0, "over how many zones replicas are spread")
	f.BoolVar(&o.loseReplica, "survive-replica", true, "bear the peak with one replica lost")
	f.BoolVar(&o.loseZone, "survive-zone", false, "bear the peak with one zone lost")
	f.StringVar(&o.output, "output", "", "write the changed plan to this file, as JSON")
	f.BoolVar(&o.json, "json", false, "print the changed plan as JSON")
	return cmd
}

func (o *whatIfOptions) run(env Env, flags *pflag.FlagSet, path string) error {
	was, err := readPlan(path)
	if err != nil {
		return err
	}
	change, err := o.change(flags)
	if err != nil {
		return err
	}
	p, err := plan.Rethink(was, change)
	if err != nil {
		return blamed(err, was, path, flags)
	}
	if o.output != "" {
		if err := writeLoadFile(o.output, asJSON(p)); err != nil {
			return err
		}
	}
	if o.json {
		return errors.Join(writeJSON(env.Stdout, p), met(p))
	}
	if text := strings.Join(differing(was, p, change), ", "); text != "" {
		const name = "changed  "
		fmt.Fprintf(env.Stdout, "%s%s\n\n", name, wrapped(text, lineWidth-len(name), strings.Repeat(" ", len(name))))
	} else {
		fmt.Fprintf(env.Stdout, "nothing is changed\n\n")
	}
	return errors.Join(printWhatIf(env.Stdout, p), met(p))
}

// blamed says whose mistake it is that no plan can be made: the flags', where the
// plan in the file could be made anew without them.
func blamed(err error, was *plan.Plan, path string, flags *pflag.FlagSet) error {
	if _, alone := plan.Rethink(was, plan.Change{}); alone != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var given []string
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "json" && f.Name != "output" {
			given = append(given, "--"+f.Name)
		}
	})
	return &usageError{fmt.Errorf("%s: %w", strings.Join(given, ", "), err)}
}

// met is the verdict, a gate for scripts.
func met(p *plan.Plan) error {
	var not []string
	for i := range p.Periods {
		if !p.Periods[i].Met {
			not = append(not, p.Periods[i].Label)
		}
	}
	switch len(not) {
	case 0:
		return nil
	case 1:
		return greenlight.Errorf(greenlight.CodeRefused, "the peak of %s is not met", not[0])
	}
	return greenlight.Errorf(greenlight.CodeRefused, "the peaks of %d of %d periods are not met, first that of %s", len(not), len(p.Periods), not[0])
}

// printWhatIf prints a plan without the numbers of replicas that do not do.
// They are what comes nearest, and no answer.
func printWhatIf(out io.Writer, p *plan.Plan) error {
	steps, sure, price := planSteps(p), p.Sure(), cost(p)
	for i, s := range p.FirstSteps() {
		if row := steps.rows[i+1]; s.State == notMet { // the first row names the columns
			row[1].text, row[4].text, row[5].text = "–", "–", ""
		}
	}
	if !p.Periods[0].Met {
		sure, price = "", "" // both are of the first period's replicas
	}
	return printPlanWith(out, p, steps, sure, price)
}

func readPlan(path string) (*plan.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	defer f.Close()
	p, err := plan.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// change is what the flags that were given change.
func (o *whatIfOptions) change(flags *pflag.FlagSet) (c plan.Change, err error) {
	if flags.Changed("rate") {
		c.Rate = &o.rate
	}
	if flags.Changed("zones") {
		c.Zones = &o.zones
	}
	if flags.Changed("survive-replica") {
		c.SurviveReplica = &o.loseReplica
	}
	if flags.Changed("survive-zone") {
		c.SurviveZone = &o.loseZone
	}
	for _, s := range []struct {
		flag, text string
		to         **float64
	}{{"growth", o.growth, &c.Growth}, {"headroom", o.headroom, &c.Headroom}, {"cache-hit-rate", o.hits, &c.CacheHitRate}} {
		if !flags.Changed(s.flag) {
			continue
		}
		v, err := parseShare("--"+s.flag, s.text)
		if err != nil {
			return c, err
		}
		*s.to = &v
	}
	return c, o.promise(&c)
}

// promise reads the SLO's parts that were given.
func (o *whatIfOptions) promise(c *plan.Change) error {
	slo, err := (&demandFlags{slo: o.slo}).objectives()
	if err != nil {
		return err
	}
	for _, text := range o.slo {
		if strings.HasPrefix(strings.TrimSpace(text), "p99") {
			c.P99 = &slo.P99
		} else {
			c.Errors = &slo.Errors
		}
	}
	return nil
}

// differing says what a plan differs in from the one that it was made of.
func differing(was, is *plan.Plan, c plan.Change) (list []string) {
	add := func(name, from, to string) {
		if from != to {
			list = append(list, fmt.Sprintf("%s %s → %s", name, from, to))
		}
	}
	share := func(v float64) string { return fmt.Sprintf("%.4g %%", 100*v) }
	yes := func(v bool) string { return map[bool]string{true: "survived", false: "not survived"}[v] }
	add("rate", plan.Rate(was.Traffic.Now()), plan.Rate(is.Traffic.Now()))
	add("growth a month", share(was.Traffic.Growth()), share(is.Traffic.Growth()))
	if c.Growth != nil && was.Traffic.Stated == nil {
		list = append(list, "growth of "+share(*c.Growth)+" a month on top of the forecast")
	}
	add("p99", plan.Seconds(was.SLO.P99), plan.Seconds(is.SLO.P99))
	add("errors", share(was.SLO.Errors), share(is.SLO.Errors))
	add("headroom", share(was.Policy.Headroom), share(is.Policy.Headroom))
	add("answered by the cache", share(was.Policy.CacheHitRate), share(is.Policy.CacheHitRate))
	add("zones", fmt.Sprint(was.Policy.Zones), fmt.Sprint(is.Policy.Zones))
	add("loss of a replica", yes(was.Policy.SurviveReplica), yes(is.Policy.SurviveReplica))
	add("loss of a zone", yes(was.Policy.SurviveZone), yes(is.Policy.SurviveZone))
	first, now := was.Periods[0], is.Periods[0]
	number := func(d plan.Period) string {
		if !d.Met {
			return notMet
		}
		return fmt.Sprint(d.Replicas)
	}
	add("replicas in "+first.Label, number(first), number(now))
	return list
}
