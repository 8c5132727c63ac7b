package gateway

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are the gateway's Prometheus series, in a registry of its own.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	retried  *prometheus.CounterVec

	mu       sync.Mutex
	releases map[[2]string]*releaseMetrics // by service and release
	routes   map[[3]string]*series         // by route, service and release
}

// requestSeconds spans 50 µs, which a target on the same machine can take, to
// half a minute. It is searched in order for each request, so the bounds of
// fast answers, which are the many, come first and cost least.
var requestSeconds = []float64{.00005, .0001, .00015, .0002, .0003, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "greenlight_gateway_requests_total",
			Help: "Requests answered, by class of status code; without a release, the gateway answered itself."},
			[]string{"route", "service", "release", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "greenlight_gateway_request_seconds",
			Help: "From the request's headers read to the answer written.", Buckets: requestSeconds}, []string{"service", "release"}),
		retried: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "greenlight_gateway_retries_total",
			Help: "Attempts after the first; refused when the budget was spent."}, []string{"service", "outcome"}),
		releases: make(map[[2]string]*releaseMetrics),
		routes:   make(map[[3]string]*series),
	}
	m.registry.MustRegister(m.requests, m.duration, m.retried,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

func (m *metrics) retries(service string) prometheus.Counter {
	return m.retried.WithLabelValues(service, "sent")
}

func (m *metrics) retriesRefused(service string) prometheus.Counter {
	return m.retried.WithLabelValues(service, "refused")
}

// releaseMetrics count a release's exchanges since the process started.
type releaseMetrics struct {
	requests, failures atomic.Int64 // failures: 5xx
	seconds            prometheus.Observer
	unusedSince        time.Time // zero while configured
}

func (m *metrics) release(service, name string) *releaseMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{service, name}
	r := m.releases[key]
	if r == nil {
		r = &releaseMetrics{seconds: m.duration.WithLabelValues(service, name)}
		m.releases[key] = r
	}
	return r
}

func (r *releaseMetrics) observe(status int, took time.Duration) {
	r.requests.Add(1)
	if status >= 500 {
		r.failures.Add(1)
	}
	r.seconds.Observe(took.Seconds())
}

// series are a route's counters, made when they are first needed: most routes
// never see most classes.
type series struct {
	metrics                 *metrics
	route, service, release string
	byClass                 [6]atomic.Pointer[prometheus.Counter]
}

func (m *metrics) series(route, service, release string) *series {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [3]string{route, service, release}
	s := m.routes[key]
	if s == nil {
		s = &series{metrics: m, route: route, service: service, release: release}
		m.routes[key] = s
	}
	return s
}

func (s *series) observe(status int) {
	class := status / 100
	if class < 1 || class > 5 {
		class = 0
	}
	c := s.byClass[class].Load()
	if c == nil {
		code := "none"
		if class > 0 {
			code = strconv.Itoa(class) + "xx"
		}
		made := s.metrics.requests.WithLabelValues(s.route, s.service, s.release, code)
		c = &made
		s.byClass[class].Store(c)
	}
	(*c).Inc()
}

// keptSeries is how long the series of a release that is gone can still be
// scraped.
const keptSeries = 10 * time.Minute

// forget drops the series of releases that no configuration has named for a
// while, so that a year of deployments does not add up.
func (m *metrics) forget(t *table, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, r := range m.releases {
		switch {
		case t.hasRelease(key[0], key[1]):
			r.unusedSince = time.Time{}
		case r.unusedSince.IsZero():
			r.unusedSince = now
		case now.Sub(r.unusedSince) > keptSeries:
			delete(m.releases, key)
			labels := prometheus.Labels{"service": key[0], "release": key[1]}
			m.duration.DeletePartialMatch(labels)
			m.requests.DeletePartialMatch(labels)
			for k := range m.routes {
				if k[1] == key[0] && k[2] == key[1] {
					delete(m.routes, k)
				}
			}
		}
	}
}

func (t *table) hasRelease(service, name string) bool {
	s := t.service(service)
	if s == nil {
		return false
	}
	for _, r := range s.releases {
		if r.name == name {
			return true
		}
	}
	return false
}

// collector reads what is counted elsewhere, at each scrape.
type collector struct{ g *Gateway }

var (
	inFlightDesc = prometheus.NewDesc("greenlight_gateway_in_flight", "Requests under way.", []string{"service", "release", "target"}, nil)
	usableDesc   = prometheus.NewDesc("greenlight_gateway_target_usable", "1 when neither checks nor failures keep the target out.", []string{"service", "release", "target"}, nil)
	ejectedDesc  = prometheus.NewDesc("greenlight_gateway_ejections_total", "Times the target was taken out for failing.", []string{"service", "release", "target"}, nil)
	heldDesc     = prometheus.NewDesc("greenlight_gateway_held", "Requests that wait for a paused service.", []string{"service"}, nil)
	mirrorDesc   = prometheus.NewDesc("greenlight_gateway_mirrored_total", "Copies of requests, by what became of them.", []string{"service", "outcome"}, nil)
)

// Describe names the series.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{inFlightDesc, usableDesc, ejectedDesc, heldDesc, mirrorDesc} {
		out <- d
	}
}

// Collect gives the series.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.g.Status().Services {
		out <- prometheus.MustNewConstMetric(heldDesc, prometheus.GaugeValue, float64(s.Held), s.Name)
		for _, r := range s.Releases {
			for _, t := range r.Targets {
				t.collect(out, s.Name, r.Name)
			}
		}
		if s.Mirror != nil {
			for outcome, n := range s.Mirror.byOutcome() {
				out <- prometheus.MustNewConstMetric(mirrorDesc, prometheus.CounterValue, float64(n), s.Name, outcome)
			}
		}
	}
}

func (t *TargetStatus) collect(out chan<- prometheus.Metric, service, release string) {
	usable := 0.0
	if t.Usable {
		usable = 1
	}
	out <- prometheus.MustNewConstMetric(inFlightDesc, prometheus.GaugeValue, float64(t.InFlight), service, release, t.ID)
	out <- prometheus.MustNewConstMetric(usableDesc, prometheus.GaugeValue, usable, service, release, t.ID)
	out <- prometheus.MustNewConstMetric(ejectedDesc, prometheus.CounterValue, float64(t.Ejections), service, release, t.ID)
}
