// Package capacity computes what a system can carry: it fits the Universal
// Scalability Law to measured throughput, and forecasts demand that has a
// trend and a season. It takes data and gives data; measuring is package
// load's.
package capacity
