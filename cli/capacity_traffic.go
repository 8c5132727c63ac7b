package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

type capacityTrafficOptions struct {
	connectOptions
	step, from, to string
	json           bool
}

func newCapacityTraffic(env Env) *cobra.Command {
	var o capacityTrafficOptions
	cmd := &cobra.Command{
		Use:   "traffic [ENV/]SERVICE",
		Short: "Print what a service was asked, by hour or day",
		Long: `Print the requests that the gateway passed to a service, as the control plane
counted them: hour by hour of UTC, kept for 25 whole months. Written to a file, it is
what greenlight capacity plan --history takes.

Columns are time (the hour's begin), rate (requests a second, on average), peak
(requests a second in the busiest minute), requests, errors (answered 5xx or not
at all) and observed (seconds of the hour that somebody counted). Hours that
nobody counted have no line: that is not the same as no requests. Seconds in which
greenlight load SERVICE ran are not counted. The last line is of the hour that runs.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight capacity traffic production/api > traffic.csv
  greenlight capacity traffic api --step day --from 2026-01-01`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCapacityTraffic(cmd.Context(), env, o, args[0])
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.step, "step", control.TrafficHours, "hour or day")
	f.StringVar(&o.from, "from", "", "date or time of the first (default: 35 days back; by day, as long as it is kept)")
	f.StringVar(&o.to, "to", "", "date or time before which the last begins (default: now)")
	f.BoolVar(&o.json, "json", false, "print as JSON")
	completeServices(cmd, "")
	return cmd
}

func (o *capacityTrafficOptions) query() (q control.TrafficQuery, err error) {
	if q.Step = o.step; q.Step != control.TrafficHours && q.Step != control.TrafficDays {
		return q, &usageError{fmt.Errorf("--step %q: want %s or %s", o.step, control.TrafficHours, control.TrafficDays)}
	}
	for _, f := range []struct {
		flag, text string
		to         *time.Time
	}{{"--from", o.from, &q.From}, {"--to", o.to, &q.To}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = time.Parse(time.DateOnly, f.text); err != nil {
			*f.to, err = time.Parse(time.RFC3339, f.text)
		}
		if err != nil {
			return q, &usageError{fmt.Errorf("%s %q: want a date, as 2026-01-31, or a time, as 2026-01-31T15:00:00Z", f.flag, f.text)}
		}
	}
	return q, nil
}

func runCapacityTraffic(ctx context.Context, env Env, o capacityTrafficOptions, arg string) error {
	q, err := o.query()
	if err != nil {
		return err
	}
	c, name, err := o.service(ctx, arg)
	if err != nil {
		return err
	}
	list, err := c.Traffic(ctx, name.environment, name.service, q)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(env.Stdout, list)
	}
	return printTraffic(env.Stdout, list)
}

// printTraffic writes what demand.ReadSeries reads.
func printTraffic(out io.Writer, list []control.TrafficPeriod) error {
	w := csv.NewWriter(out)
	_ = w.Write([]string{"time", "rate", "peak", "requests", "errors", "observed"}) // errors stay until Flush
	for _, t := range list {
		rate := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
		_ = w.Write([]string{t.From.UTC().Format(time.RFC3339), rate(t.Mean), rate(t.Peak),
			strconv.FormatInt(t.Requests, 10), strconv.FormatInt(t.Errors, 10), strconv.FormatFloat(t.Observed, 'f', 0, 64)})
	}
	w.Flush()
	return w.Error()
}

// ownHistory is what a control plane counted of a service, as a series.
func ownHistory(ctx context.Context, c *client.Client, name serviceName, now time.Time) (history, error) {
	h := history{source: "the control plane's history of " + name.String(), until: now}
	hours, err := c.Traffic(ctx, name.environment, name.service, control.TrafficQuery{From: now.Add(-longestHistory), To: now, Step: control.TrafficHours})
	if err != nil {
		return h, err
	}
	runs, err := c.Loads(ctx, name.environment, name.service, 0)
	if err != nil {
		return h, err
	}
	var tested int
	h.samples, tested = samplesOf(hours, control.ProductionOf(nil, runs).Tests)
	if len(h.samples) == 0 {
		return h, greenlight.Errorf(greenlight.CodeNotFound, "the control plane has counted nothing of %s yet; try again in a while, or say what is to be borne with --rate", name)
	}
	h.about = historyText(h.samples, name, tested, now)
	return h, nil
}

// longestHistory leaves room for a clock that differs from the control plane's.
const longestHistory = control.LongestTraffic - 24*time.Hour

// samplesOf leaves out hours of which too little was counted to stand for
// them, and those with a load test, of which it says how many; where there are
// no others they stay.
func samplesOf(hours []control.TrafficPeriod, tests []plan.ProductionTest) (samples []demand.Sample, tested int) {
	const least = 15 * 60
	var some []demand.Sample
	for _, t := range hours {
		s := demand.Sample{At: t.From, Rate: t.Mean, Peak: t.Peak}
		switch {
		case t.Observed == 0:
			continue
		case plan.Tested(t.From, tests):
			tested++
		case t.Observed >= least:
			samples = append(samples, s)
		}
		some = append(some, s)
	}
	if len(samples) == 0 {
		return some, 0
	}
	return samples, tested
}

// historyText says what a history is.
func historyText(samples []demand.Sample, name serviceName, tested int, now time.Time) string {
	first, end := samples[0].At, samples[len(samples)-1].At.Add(time.Hour)
	if end.After(now) {
		end = now.UTC()
	}
	text := fmt.Sprintf("history of %s: %s of traffic from %s to %s UTC", name, counted(len(samples), "hour"), first.Format("2006-01-02 15:04"), end.Format("2006-01-02 15:04"))
	switch {
	case tested == 1:
		text += "; 1 hour with a load test is left out"
	case tested > 1:
		text += fmt.Sprintf("; %d hours with load tests are left out", tested)
	}
	return text
}
