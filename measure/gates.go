package measure

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// The gates: what a run must show to count.
const (
	leastBusy  = 0.90 // share of its quota that a saturated replica uses
	mostBusy   = 1.15 // more, and nothing holds it to its quota
	mostCore   = 0.80 // of a core, for gateway and generator
	mostErrors = 0.01
	leastIdle  = 0.05 // of the machine's cores, for waiting to be the replicas' own
	flat       = 0.05 // more throughput by twice the clients than this is not saturation
	mostSpread = 0.20 // of the rounds at one N: their standard deviation, as a share
	wideSpread = 0.10 // more, and it is measured a few times more
)

// spoiled says why a run shows something else than its subject, "" when it
// does not.
func (o *Options) spoiled(r *Reading) string {
	switch {
	case r.Void != "":
		return r.Void
	case r.Errors > mostErrors && r.Failure != "":
		return fmt.Sprintf("%.1f %% of the operations failed: %s", 100*r.Errors, r.Failure)
	case r.Errors > mostErrors:
		return fmt.Sprintf("%.1f %% of the requests failed", 100*r.Errors)
	case r.Own > mostCore*float64(max(1, o.Cores/2)):
		return fmt.Sprintf("the generator used %.2f cores; it may be the limit", r.Own)
	}
	return ""
}

// spoiledService says it of a run against the replicas, which the gateway must
// not limit either.
func (o *Options) spoiledService(r *Reading, quota float64) string {
	if why := o.spoiled(r); why != "" {
		return why
	}
	switch busy := r.busy(quota); {
	case r.Gateway > mostCore:
		return fmt.Sprintf("the gateway used %.2f of a core; it may be the limit, and not the replicas: give each fewer cores with --cpu", r.Gateway)
	case busy > mostBusy:
		return fmt.Sprintf("replicas used %.0f %% of their quota of %.3g cores: nothing holds them to it", 100*busy, quota)
	case busy < leastBusy && r.Idle < leastIdle*float64(o.Cores):
		return fmt.Sprintf("replicas got only %.0f %% of their quota, and no core was idle: other processes of this machine took them", 100*busy)
	}
	return ""
}

// spread is the standard deviation of values, as a share of their mean.
func spread(values []float64) float64 {
	if len(values) < 2 {
		return 0
	}
	mean, deviation := stat.MeanStdDev(values, nil)
	if mean == 0 {
		return math.Inf(1)
	}
	return deviation / mean
}
