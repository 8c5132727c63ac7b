package client

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store"
)

// Health is nil when the control plane answers.
func (c *Client) Health(ctx context.Context) error {
	_, err := fetch[api.Health](ctx, c, request{method: http.MethodGet, root: "/healthz"})
	return err
}

// Status is everything at this moment.
func (c *Client) Status(ctx context.Context) (control.Status, error) {
	return fetch[control.Status](ctx, c, get("status"))
}

// Apply makes a description the one in force.
func (c *Client) Apply(ctx context.Context, environment string, d control.Description) (control.Applied, error) {
	r := request{method: http.MethodPut, path: []string{"environments", environment}}
	return fetch[control.Applied](ctx, c, r.with(d))
}

// Preview says what Apply would do and changes nothing.
func (c *Client) Preview(ctx context.Context, environment string, d control.Description) (control.Plan, error) {
	return fetch[control.Plan](ctx, c, post("environments", environment, "plan").with(d))
}

// Plan compares what is with the description in force.
func (c *Client) Plan(ctx context.Context, environment string) (control.Plan, error) {
	return fetch[control.Plan](ctx, c, get("environments", environment, "plan"))
}

// Service is one service in detail.
func (c *Client) Service(ctx context.Context, environment, service string) (control.ServiceDetail, error) {
	return fetch[control.ServiceDetail](ctx, c, ofService(http.MethodGet, environment, service))
}

// Series is a service's past; since is rounded up to minutes, 60 at most.
func (c *Client) Series(ctx context.Context, environment, service string, since time.Duration, points int) (observe.Series, error) {
	r := ofService(http.MethodGet, environment, service, "series")
	r.query = url.Values{
		"minutes": {strconv.Itoa(int(math.Ceil(since.Minutes())))},
		"points":  {strconv.Itoa(points)},
	}
	return fetch[observe.Series](ctx, c, r)
}

// Scale sets the number of replicas.
func (c *Client) Scale(ctx context.Context, environment, service string, to control.ScaleTo) (control.Service, error) {
	return fetch[control.Service](ctx, c, ofService(http.MethodPut, environment, service, "scale").with(to))
}

// Restart begins to replace the replicas of a service, or the one that is
// named where replica is not "".
func (c *Client) Restart(ctx context.Context, environment, service, replica string) error {
	r := ofService(http.MethodPost, environment, service, "restart")
	r.query = values("replica", replica)
	return c.do(ctx, r)
}

// Try sends one request to a service through the gateway.
func (c *Client) Try(ctx context.Context, environment, service string, r control.TryRequest) (control.TryResponse, error) {
	return fetch[control.TryResponse](ctx, c, ofService(http.MethodPost, environment, service, "try").with(r))
}

// KeepLoad hands the result of a load test in.
func (c *Client) KeepLoad(ctx context.Context, environment, service string, r *load.Result) (control.LoadRun, error) {
	return fetch[control.LoadRun](ctx, c, ofService(http.MethodPost, environment, service, "loads").with(r))
}

// Loads lists the load tests of a service that are kept, newest first, at most
// limit; 0 is all.
func (c *Client) Loads(ctx context.Context, environment, service string, limit int) ([]control.LoadRun, error) {
	r := ofService(http.MethodGet, environment, service, "loads")
	r.query = values("limit", number(int64(limit)))
	return fetch[[]control.LoadRun](ctx, c, r)
}

// Load is one load test with its whole result.
func (c *Client) Load(ctx context.Context, environment, service, id string) (control.LoadDetail, error) {
	return fetch[control.LoadDetail](ctx, c, ofService(http.MethodGet, environment, service, "loads", id))
}

// LiveLoads are the load tests of a service that run, oldest first.
func (c *Client) LiveLoads(ctx context.Context, environment, service string) ([]control.LiveLoad, error) {
	return fetch[[]control.LiveLoad](ctx, c, ofService(http.MethodGet, environment, service, "loads", "live"))
}

// ReportLoad tells how a load test goes; the answer says whether it has to
// stop.
func (c *Client) ReportLoad(ctx context.Context, environment, service, id string, report control.LoadReport) (control.LoadOrder, error) {
	return fetch[control.LoadOrder](ctx, c, ofService(http.MethodPost, environment, service, "loads", "live", id).with(report))
}

// StopLoad asks a load test to stop.
func (c *Client) StopLoad(ctx context.Context, environment, service, id string) (control.LiveLoad, error) {
	return fetch[control.LiveLoad](ctx, c, ofService(http.MethodPost, environment, service, "loads", "live", id, "stop").with(struct{}{}))
}

// Events lists events.
func (c *Client) Events(ctx context.Context, q store.EventQuery) ([]greenlight.Event, error) {
	r := get("events")
	r.query = values("environment", q.Environment, "service", q.Service, "kind", q.Kind, "subject", q.Subject,
		"after", number(q.After), "before", number(q.Before), "limit", number(int64(q.Limit)),
		"since", moment(q.Since), "until", moment(q.Until))
	if q.Newest {
		r.query.Set("newest", "true")
	}
	return fetch[[]greenlight.Event](ctx, c, r)
}

// values are the pairs of name and value whose value is not "".
func values(pairs ...string) url.Values {
	v := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// Backup writes a backup file to w. What w got before an error is no backup.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	resp, err := c.send(ctx, post("backup"))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	from := &source{r: resp.Body}
	if _, err := io.Copy(w, from); err != nil {
		if from.err != nil {
			return c.brokenOff(err)
		}
		return err
	}
	return nil
}

// source tells the errors of reading from those of writing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != io.EOF {
		s.err = err
	}
	return n, err
}

// Restore sends a backup file, with which the control plane starts anew.
func (c *Client) Restore(ctx context.Context, file io.Reader) error {
	r := post("restore")
	r.header = http.Header{"Content-Type": {"application/octet-stream"}}
	r.body = file
	return c.do(ctx, r)
}

// Down begins to stop everything, the control plane last.
func (c *Client) Down(ctx context.Context) error { return c.do(ctx, post("down")) }

// Tokens lists all tokens, oldest first, the revoked ones too.
func (c *Client) Tokens(ctx context.Context) ([]store.Token, error) {
	return fetch[[]store.Token](ctx, c, get("tokens"))
}

// CreateToken makes a token.
func (c *Client) CreateToken(ctx context.Context, r api.TokenRequest) (api.CreatedToken, error) {
	return fetch[api.CreatedToken](ctx, c, post("tokens").with(r))
}

// RevokeToken makes a token worthless.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.do(ctx, request{method: http.MethodDelete, path: []string{"tokens", id}})
}
