package load

import (
	"time"
)

// ResultFormat is the "format" of result files.
const ResultFormat = "greenlight-load/1"

// Result is what a test measured. Times are in seconds.
type Result struct {
	Format    string    `json:"format"`
	Target    string    `json:"target"`
	Model     string    `json:"model"`             // open or closed
	Clients   int       `json:"clients,omitempty"` // of the closed model
	Protocol  string    `json:"protocol"`
	StartedAt time.Time `json:"started_at"`
	Elapsed   float64   `json:"elapsed"` // without the warm-up

	Requests int64   `json:"requests"`         // due in that time
	Errors   int64   `json:"errors"`           // of them, not answered or wrongly
	Rate     float64 `json:"rate"`             // whole answers a second, of any status
	Planned  float64 `json:"planned"`          // requests a second that were due; 0 in the closed model
	Steady   bool    `json:"steady,omitempty"` // as many were due in each second
	Goodput  float64 `json:"goodput"`          // right answers a second after the warm-up, whenever they were due

	// Journeys is nil unless some requests have steps that follow them. Requests,
	// Errors, Rate and Goodput count steps then, and Planned journeys.
	Journeys *Journeys `json:"journeys,omitempty"`

	Void       bool   `json:"void"` // the generator spoiled it: these are no results
	VoidReason string `json:"void_reason,omitempty"`
	Stopped    string `json:"stopped,omitempty"` // why it ended before its time

	// Response runs from when a request was due to its answer. One without
	// an answer in time counts with the time that was waited.
	Response Summary `json:"response"`
	// Service runs from when a request was sent to its answer.
	Service Summary `json:"service"`
	// Lag is what the generator added: from when a request was due and a
	// connection free, to when it was sent.
	Lag Summary `json:"lag"`

	Connections int64   `json:"connections"` // opened
	InFlight    float64 `json:"in_flight"`   // requests due and not answered, mean of samples
	// BytesIn and BytesOut are what the connections carried for the requests, as
	// TCP has it: heads and frames with the bodies, and TLS's own bytes. Of HTTP/2,
	// whose requests share connections, what belonged to the last requests of the
	// warm-up may be among them.
	BytesIn    int64            `json:"bytes_in"`
	BytesOut   int64            `json:"bytes_out"`
	CPU        float64          `json:"generator_cpu"`   // cores that the generator used
	Cores      int              `json:"generator_cores"` // cores that it has
	Statuses   map[string]int64 `json:"statuses"`
	ErrorKinds map[Kind]int64   `json:"error_kinds"`
	Routes     []RouteResult    `json:"routes"`
	Verdicts   []Verdict        `json:"thresholds,omitempty"`
	Seconds    []Second         `json:"seconds"`
	// Times are the counts behind response and service, as compressed HDR
	// histograms in base64.
	Times map[string]string `json:"histograms,omitempty"`
	// Server is nil for a target that is no service of Greenlight.
	Server *Server `json:"server,omitempty"`
	// Scenario is the name that a description gives to the test.
	Scenario string `json:"scenario,omitempty"`
	// Notes are what a reader must know of what was sent.
	Notes []string `json:"notes,omitempty"`
	// Knee is the search that this result is of; nil for a test of its own.
	Knee *KneeSummary `json:"knee,omitempty"`

	late          int64      // of the requests, ended after the last was due
	ResponseTimes *Histogram `json:"-"`
	ServiceTimes  *Histogram `json:"-"`
	LagTimes      *Histogram `json:"-"`
	Failure       string     `json:"-"` // the first one of an operation that counts, in its own words
}

// Journeys are requests with the steps that follow them; a request without any
// is one of one step.
type Journeys struct {
	Ended int64   `json:"ended"` // with an answer to every step that was sent
	Whole int64   `json:"whole"` // every step of them was sent, and answered rightly
	Rate  float64 `json:"rate"`  // that ended, a second
}

// RouteResult is one name of the mix with one status.
type RouteResult struct {
	Name     string  `json:"name"`
	Status   int     `json:"status"`         // 0: no answer
	Code     string  `json:"code,omitempty"` // of gRPC, by its name
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"`
	Response Summary `json:"response"`
}

// Second is what happened in one second of the test.
type Second struct {
	At       float64 `json:"at"`     // its end, in seconds after the start
	Length   float64 `json:"length"` // in seconds; the last one may be short
	Requests int64   `json:"requests"`
	Errors   int64   `json:"errors"`
	Right    int64   `json:"right"` // right answers that came, also to requests of the warm-up
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	Max      float64 `json:"max"`
	Mean     float64 `json:"mean"`
	Lag      float64 `json:"lag_p99"`
	InFlight float64 `json:"in_flight"`
}

// ErrorShare is errors of requests, 0 without requests.
func (r *Result) ErrorShare() float64 {
	if r.Requests == 0 {
		return 0
	}
	return float64(r.Errors) / float64(r.Requests)
}

// AllFailed tells whether there were requests and none was answered rightly.
func (r *Result) AllFailed() bool { return r.Requests > 0 && r.Errors >= r.Requests }

// Passed tells whether every threshold was met.
func (r *Result) Passed() bool {
	for _, v := range r.Verdicts {
		if !v.OK {
			return false
		}
	}
	return true
}
