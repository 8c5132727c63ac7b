package modelserver

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the server's Prometheus series, in a registry of its own.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	failures *prometheus.CounterVec
	rows     *prometheus.CounterVec
	duration *prometheus.HistogramVec
	queue    *prometheus.HistogramVec
	engine   *prometheus.HistogramVec
	proof    *prometheus.GaugeVec
	load     *prometheus.GaugeVec
	info     *prometheus.GaugeVec
}

// seconds spans 1 µs, a small forest, to 65 s in steps of 4.
var seconds = prometheus.ExponentialBuckets(1e-6, 4, 14)

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds}, []string{"model"})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: counter("greenlight_model_requests_total", "Requests for predictions.", "model", "protocol"),
		failures: counter("greenlight_model_failures_total", "Requests for predictions that were not answered, by error code.", "model", "code"),
		rows:     counter("greenlight_model_rows_total", "Rows predicted.", "model"),
		duration: histogram("greenlight_model_request_seconds", "From the request's headers read to the answer written."),
		queue:    histogram("greenlight_model_queue_seconds", "Waiting for a free slot to compute in."),
		engine:   histogram("greenlight_model_engine_seconds", "Computing in the engine."),
		proof:    gauge("greenlight_model_proof_max_deviation", "Largest deviation from the training framework's outputs when the proof was replayed.", "model"),
		load:     gauge("greenlight_model_load_seconds", "From opening the model file to ready.", "model"),
		info:     gauge("greenlight_model_info", "Always 1; what is served.", "model", "engine", "sha256", "framework"),
	}
	m.registry.MustRegister(m.requests, m.failures, m.rows, m.duration, m.queue, m.engine, m.proof, m.load, m.info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// modelMetrics are one model's series, looked up once.
type modelMetrics struct {
	all                     *metrics
	name                    string
	predict, infer          prometheus.Counter
	rows                    prometheus.Counter
	duration, queue, engine prometheus.Observer
}

func (m *metrics) of(model *Model) *modelMetrics {
	m.load.WithLabelValues(model.Name).Set(model.LoadedIn.Seconds())
	framework := ""
	if p := model.Proof; p != nil {
		m.proof.WithLabelValues(model.Name).Set(p.Deviation)
		framework = p.Framework
	}
	m.info.WithLabelValues(model.Name, model.Engine, model.File.SHA256, framework).Set(1)
	return &modelMetrics{
		all: m, name: model.Name,
		predict:  m.requests.WithLabelValues(model.Name, "predict"),
		infer:    m.requests.WithLabelValues(model.Name, "v2"),
		rows:     m.rows.WithLabelValues(model.Name),
		duration: m.duration.WithLabelValues(model.Name),
		queue:    m.queue.WithLabelValues(model.Name),
		engine:   m.engine.WithLabelValues(model.Name),
	}
}

// done records the end of a request.
func (m *modelMetrics) done(start time.Time, err error) {
	m.duration.Observe(time.Since(start).Seconds())
	if err != nil {
		m.all.failures.WithLabelValues(m.name, string(failureCode(err))).Inc()
	}
}
