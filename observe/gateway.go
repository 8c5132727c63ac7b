package observe

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// traffic is what a service did at the gateway between two scrapes.
type traffic struct {
	requests, failed float64
	// counted and countedFailed are the same, but for the first scrape, which
	// has what came since the counters to resume from.
	counted, countedFailed float64
	seconds                float64 // that the requests took, all added up
	inFlight, held         float64
	cumulative             []float64 // requests by the bounds of their durations
	configured             bool      // whether the gateway has the service now
	round                  uint64
}

// tracked is one of the gateway's series and what it was at the last scrape.
type tracked struct {
	what        counted
	service     *traffic
	target      string  // of in-flight series: "<environment>/<replica>"
	bound       float64 // of buckets
	bucket      int     // index of the bound, -1 for none
	value, last float64
	round       uint64 // of value
}

// counted says what a series counts.
type counted int

const (
	countedRequests counted = iota
	countedFailures
	countedBucket
	countedSeconds
	gaugeInFlight
	gaugeHeld
)

// maxBounds bounds the buckets of a histogram; the gateway has 21.
const maxBounds = 64

// scrape keeps what the gateway's series were, to tell what they became.
// Counters are differenced series by series: one that begins anew, because the
// gateway did or a release came, counts from zero, and one that is gone
// takes nothing away.
type scrape struct {
	series   map[string]*tracked
	services map[string]*traffic
	inFlight map[string]float64 // by "<environment>/<replica>"
	bounds   []float64          // upper ones of the buckets in seconds, ascending, the last one +Inf
	began    float64            // start of the gateway's process, Unix seconds
	round    uint64
	resumed  map[string]float64 // what series were before the first scrape
}

func newScrape(resume Counters) *scrape {
	return &scrape{series: make(map[string]*tracked), services: make(map[string]*traffic), inFlight: make(map[string]float64),
		began: resume.Began, resumed: resume.Series}
}

// take reads the next text. It tells whether the buckets are others than
// before: then those of the past mean something else.
func (s *scrape) take(text []byte) (rebucketed bool) {
	s.round++
	began, newBuckets := s.began, false
	eachSeries(text, func(name, series, value []byte) {
		t := s.series[string(series)]
		if t == nil {
			if string(name) == "process_start_time_seconds" {
				s.began, _ = number(value)
			}
			if t = s.learn(name, series); t == nil {
				return
			}
			newBuckets = newBuckets || t.what == countedBucket
		}
		if v, ok := number(value); ok {
			t.value, t.round, t.service.round = v, s.round, s.round
		}
	})
	if newBuckets {
		rebucketed = s.measureBounds()
	}
	s.count(began != s.began)
	s.resumed = nil
	return rebucketed
}

// learn tracks a series from now on; nil for one that counts nothing here.
func (s *scrape) learn(name, series []byte) *tracked {
	what, ok := countedBy(name)
	if !ok {
		return nil
	}
	t := s.track(what, series)
	t.last = s.resumed[string(series)]
	s.series[string(series)] = t
	return t
}

func countedBy(name []byte) (counted, bool) {
	switch string(name) {
	case "greenlight_gateway_requests_total":
		return countedRequests, true
	case "greenlight_gateway_request_seconds_bucket":
		return countedBucket, true
	case "greenlight_gateway_request_seconds_sum":
		return countedSeconds, true
	case "greenlight_gateway_in_flight":
		return gaugeInFlight, true
	case "greenlight_gateway_held":
		return gaugeHeld, true
	}
	return 0, false
}

func (s *scrape) track(what counted, series []byte) *tracked {
	t := &tracked{what: what, bound: math.NaN(), bucket: -1}
	var service, target string
	eachLabel(series, func(name, value string) {
		switch name {
		case "service":
			service = value
		case "target":
			target = value
		case "code":
			if value == "5xx" || value == "none" {
				t.what = countedFailures
			}
		case "le":
			if bound, err := strconv.ParseFloat(value, 64); err == nil {
				t.bound = bound
			}
		}
	})
	environment, _, _ := strings.Cut(service, "/")
	t.target = environment + "/" + target
	t.service = s.services[service]
	if t.service == nil {
		t.service = new(traffic)
		s.services[service] = t.service
	}
	return t
}

// measureBounds finds the bounds of all buckets and gives each its place.
func (s *scrape) measureBounds() (changed bool) {
	var bounds []float64
	for _, t := range s.series {
		if t.what == countedBucket && !math.IsNaN(t.bound) && t.bound > 0 {
			bounds = append(bounds, t.bound)
		}
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	if len(bounds) > maxBounds {
		bounds = bounds[:maxBounds]
	}
	changed = !slices.Equal(bounds, s.bounds)
	s.bounds = bounds
	for _, t := range s.series {
		if place, ok := slices.BinarySearch(bounds, t.bound); ok {
			t.bucket = place
		} else {
			t.bucket = -1
		}
	}
	for _, t := range s.services {
		if len(t.cumulative) != len(bounds) {
			t.cumulative = make([]float64, len(bounds))
		}
	}
	return changed
}

// count makes the services' traffic of what the series grew by, and drops
// the series and services that are gone.
func (s *scrape) count(restarted bool) {
	clear(s.inFlight)
	for name, t := range s.services {
		if t.round != s.round {
			delete(s.services, name)
		}
		clear(t.cumulative)
		*t = traffic{cumulative: t.cumulative, round: t.round}
	}
	for key, t := range s.series {
		if t.round != s.round {
			delete(s.series, key)
			continue
		}
		grown := t.value
		if !restarted && t.value >= t.last {
			grown -= t.last
		}
		t.last = t.value
		t.count(grown)
		if s.round == 1 { // what was before is not this second's
			grown = 0
		}
		s.add(t, grown)
	}
}

// count keeps what came for those who count for good.
func (t *tracked) count(grown float64) {
	switch t.what {
	case countedFailures:
		t.service.countedFailed += grown
		t.service.counted += grown
	case countedRequests:
		t.service.counted += grown
	}
}

func (s *scrape) add(t *tracked, grown float64) {
	switch t.what {
	case countedFailures:
		t.service.failed += grown
		t.service.requests += grown
	case countedRequests:
		t.service.requests += grown
	case countedBucket:
		if t.bucket >= 0 {
			t.service.cumulative[t.bucket] += grown
		}
	case countedSeconds:
		t.service.seconds += grown
	case gaugeInFlight:
		t.service.inFlight += t.value
		s.inFlight[t.target] += t.value
	case gaugeHeld:
		t.service.held, t.service.configured = t.value, true
	}
}

// buckets are the requests of each bucket, in into's memory.
func (t *traffic) buckets(into []float64) []float64 {
	into = into[:0]
	below := 0.0
	for _, n := range t.cumulative {
		into = append(into, max(n-below, 0))
		below = max(n, below)
	}
	return into
}
