// Package latency computes how long requests take at a planned load: so many
// replicas, a balancer, a service time as it was measured. Formulas exist
// for few of these cases and for hardly any percentile, so it simulates,
// with a seed, and says how far the result can be trusted.
package latency
