package app

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/greenlight-dev/greenlight/control"
)

// metrics serves the control plane's own series: what it keeps, and what that
// costs it. Requests are counted by the gateway.
func metrics(p *control.Plane, version string) http.Handler {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "greenlight_build_info", Help: "1, with the version that runs.",
		ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	registry.MustRegister(build, services{p}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

var (
	serviceLabels   = []string{"environment", "service"}
	desiredReplicas = prometheus.NewDesc("greenlight_replicas_desired", "Replicas that should run.", serviceLabels, nil)
	readyReplicas   = prometheus.NewDesc("greenlight_replicas_ready", "Replicas that take requests.", serviceLabels, nil)
)

// services collects the state of the services.
type services struct{ plane *control.Plane }

// Describe names the series.
func (s services) Describe(c chan<- *prometheus.Desc) {
	c <- desiredReplicas
	c <- readyReplicas
}

// Collect reads them.
func (s services) Collect(c chan<- prometheus.Metric) {
	status, err := s.plane.Status(context.Background())
	if err != nil {
		return
	}
	for _, e := range status.Environments {
		for _, v := range e.Services {
			c <- prometheus.MustNewConstMetric(desiredReplicas, prometheus.GaugeValue, float64(v.Desired), e.Name, v.Name)
			c <- prometheus.MustNewConstMetric(readyReplicas, prometheus.GaugeValue, float64(v.Ready), e.Name, v.Name)
		}
	}
}
