package console

// Figures are the writers of figures by the names that figure.js has.
var Figures = map[string]func(float64) string{
	"rate": rate, "share": share, "seconds": seconds, "latency": latency, "cores": cores, "whole": whole, "stopwatch": stopwatch,
	"bytes": func(v float64) string { return formatBytes(int64(v)) },
}
