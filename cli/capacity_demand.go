package cli

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/capacity/price"
)

// demandFlags say what is to be borne, and how carefully.
type demandFlags struct {
	rate, peakToMean       float64
	growth, uncertainty    string
	history                string
	events, slo            []string
	periods                int
	unit                   string
	headroom, hits         string
	zones                  int
	loseReplica, loseZone  bool
	minReplicas, maxNumber int
	prices                 string
	limit                  string
}

func (o *demandFlags) addFlags(f *pflag.FlagSet) {
	f.Float64Var(&o.rate, "rate", 0, "requests a second that come now, on average")
	f.StringVar(&o.growth, "growth", "0%/month", "by how much that grows each month")
	f.StringVar(&o.uncertainty, "uncertainty", "20%", "how far off the stated rate may be, either way")
	f.Float64Var(&o.peakToMean, "peak", 0, "by what factor the peak of a period exceeds its mean (default 2, with --history as it shows)")
	f.StringVar(&o.history, "history", "", "what came until now, instead of --rate: own is what the running control plane counted; else a CSV with the columns time and rate, and peak where it has one (a file called own is ./own)")
	f.StringArrayVar(&o.events, "event", nil, "something planned, 'NAME=FROM..TO:x1.5' or '…:+200/s'; may be given several times")
	f.IntVar(&o.periods, "periods", 12, "how many periods are planned for")
	f.StringVar(&o.unit, "unit", "", "length of a period: hour, day, week or month (default month; with --history own the longest that the history has enough of)")
	f.StringArrayVar(&o.slo, "slo", []string{"p99<100ms", "errors<0.1%"}, "what is promised: p99<50ms, errors<0.1%")
	f.StringVar(&o.headroom, "headroom", "30%", "load beyond the forecast that must be borne")
	f.StringVar(&o.hits, "cache-hit-rate", "0%", "share of the requests that a response cache answers")
	f.IntVar(&o.zones, "zones", 1, "over how many zones replicas are spread")
	f.BoolVar(&o.loseReplica, "survive-replica", true, "bear the peak with one replica lost")
	f.BoolVar(&o.loseZone, "survive-zone", false, "bear the peak with one zone lost")
	f.IntVar(&o.minReplicas, "min-replicas", 1, "the fewest replicas")
	f.IntVar(&o.maxNumber, "max-replicas", 100, "the most replicas")
	f.StringVar(&o.prices, "prices", "", "price list (YAML) instead of the one that comes with Greenlight")
	f.StringVar(&o.limit, "limit", "20%", "by how much a measurement may differ before the plan has expired")
}

// parseShare reads 5%, 5%/month or 0.05. A number alone above 1 is refused: who
// writes 5 rarely means 500 %.
func parseShare(flag, text string) (float64, error) {
	number, month := strings.CutSuffix(strings.TrimSpace(text), "/month")
	per := 1.0
	if n, found := strings.CutSuffix(number, "%"); found {
		number, per = n, 100
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || v != v {
		return 0, &usageError{fmt.Errorf("%s %q: want a share, as 5%% or 0.05", flag, text)}
	}
	if per == 1 && math.Abs(v) > 1 {
		unit := "%"
		if month || flag == growthFlag {
			unit += "/month"
		}
		return 0, &usageError{fmt.Errorf("%s %q would be %.4g %%; write %.4g%s, or %.4g%s if that is meant", flag, text, 100*v, v, unit, 100*v, unit)}
	}
	return v / per, nil
}

const growthFlag = "--growth"

// objectives reads the SLO.
func (o *demandFlags) objectives() (plan.SLO, error) {
	slo := plan.SLO{P99: 0.1, Errors: 0.001}
	for _, text := range o.slo {
		name, value, found := strings.Cut(text, "<")
		value = strings.TrimPrefix(value, "=")
		var err error
		switch name = strings.TrimSpace(name); {
		case found && name == "p99":
			var d time.Duration
			d, err = time.ParseDuration(strings.TrimSpace(value))
			slo.P99 = d.Seconds()
		case found && name == "errors":
			slo.Errors, err = parseShare("--slo", value)
		default:
			err = fmt.Errorf("want p99<50ms or errors<0.1%%")
		}
		if err != nil {
			return slo, &usageError{fmt.Errorf("--slo %q: %w", text, err)}
		}
	}
	return slo, misused(slo.Check())
}

func (o *demandFlags) policy() (plan.Policy, error) {
	p := plan.Policy{Zones: o.zones, SurviveReplica: o.loseReplica, SurviveZone: o.loseZone, MinReplicas: o.minReplicas, MaxReplicas: o.maxNumber}
	for _, s := range []struct {
		flag, text string
		to         *float64
	}{{"--headroom", o.headroom, &p.Headroom}, {"--cache-hit-rate", o.hits, &p.CacheHitRate}, {"--limit", o.limit, &p.MaxError}} {
		v, err := parseShare(s.flag, s.text)
		if err != nil {
			return p, err
		}
		*s.to = v
	}
	for _, n := range []struct {
		flag  string
		value int
	}{{"--zones", o.zones}, {"--min-replicas", o.minReplicas}, {"--max-replicas", o.maxNumber}} {
		if n.value < 1 {
			return p, &usageError{fmt.Errorf("%s %d: want 1 or more", n.flag, n.value)}
		}
	}
	if p.MaxError == 0 {
		return p, &usageError{fmt.Errorf("--limit %s: every measurement differs from a plan by more than nothing; want a share above 0", o.limit)}
	}
	return p, misused(p.Check())
}

// misused is an error about what the command line says.
func misused(err error) error {
	if greenlight.CodeOf(err) == greenlight.CodeInvalid {
		return &usageError{err}
	}
	return err
}

// ownKey is the --history that stands for what the control plane counted.
const ownKey = "own"

// demand is what the periods to come ask for; own gives what the control plane
// counted.
func (o *demandFlags) demand(now time.Time, own func() (history, error)) (*demand.Demand, error) {
	options := demand.Options{Unit: demand.Unit(o.unit), Periods: o.periods, PeakToMean: o.peakToMean}
	for _, text := range o.events {
		e, err := parseEvent(text)
		if err != nil {
			return nil, &usageError{fmt.Errorf("--event %q: %w; want NAME=FROM..TO:x1.5 or NAME=FROM..TO:+200/s, with dates as 2027-03-08", text, err)}
		}
		options.Events = append(options.Events, e)
	}
	if err := misused(options.Check()); err != nil {
		return nil, err
	}
	if o.history != "" {
		return o.fromHistory(options, own)
	}
	if o.rate <= 0 {
		return nil, &usageError{fmt.Errorf("what is to be borne? give --rate (requests a second, on average) with --growth, or --history")}
	}
	growth, err := parseShare(growthFlag, o.growth)
	if err != nil {
		return nil, err
	}
	uncertainty, err := parseShare("--uncertainty", o.uncertainty)
	if err != nil {
		return nil, err
	}
	if options.PeakToMean == 0 {
		options.PeakToMean = 2
	}
	options.From = now
	d, err := demand.FromRate(demand.Stated{Rate: o.rate, Growth: growth, Uncertainty: uncertainty}, options)
	return d, misused(err)
}

// history is a series and where it comes from.
type history struct {
	samples []demand.Sample
	until   time.Time // when the forecast begins, at the earliest; zero: after the samples
	source  string    // a file's name, or words
	about   string    // what it has, one line; "" where nobody has to be told
	said    io.Writer // where about goes to
}

func (o *demandFlags) fromHistory(options demand.Options, own func() (history, error)) (*demand.Demand, error) {
	if o.rate > 0 {
		return nil, &usageError{fmt.Errorf("--rate and --history both say what is to be borne; give one")}
	}
	read := o.readHistory
	if o.history == ownKey {
		read = own
	}
	h, err := read()
	if err != nil {
		return nil, err
	}
	if o.history == ownKey && options.Unit == "" {
		options.Unit = demand.UnitFor(h.samples)
	}
	options.From = h.until
	d, err := demand.FromSeries(h.samples, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.source, err)
	}
	if o.history == ownKey {
		d.Method += "; counted by the control plane"
		fmt.Fprintf(h.said, "%s; planned by the %s\n", h.about, d.Unit)
	}
	return d, nil
}

func (o *demandFlags) readHistory() (history, error) {
	h := history{source: o.history}
	f, err := os.Open(o.history)
	if err != nil {
		return h, greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	defer f.Close()
	if h.samples, err = demand.ReadSeries(f); err != nil {
		err = fmt.Errorf("%s: %w", o.history, err)
	}
	return h, err
}

func parseEvent(text string) (demand.Event, error) {
	name, rest, found := strings.Cut(text, "=")
	dates, what, found2 := strings.Cut(rest, ":")
	from, to, found3 := strings.Cut(dates, "..")
	if !found || !found2 || !found3 {
		return demand.Event{}, fmt.Errorf("a part is missing")
	}
	e := demand.Event{Name: name}
	var err error
	if e.From, err = time.Parse(time.DateOnly, from); err != nil {
		return e, err
	}
	if e.To, err = time.Parse(time.DateOnly, to); err != nil {
		return e, err
	}
	switch {
	case strings.HasPrefix(what, "x"):
		e.Factor, err = strconv.ParseFloat(what[1:], 64)
	case strings.HasPrefix(what, "+"):
		e.Added, err = strconv.ParseFloat(strings.TrimSuffix(what[1:], "/s"), 64)
	default:
		err = fmt.Errorf("%q neither multiplies nor adds", what)
	}
	return e, err
}

func (o *demandFlags) priceList() (*price.List, error) {
	if o.prices == "" {
		return price.Default(), nil
	}
	data, err := os.ReadFile(o.prices)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	list, err := price.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.prices, err)
	}
	return list, nil
}
