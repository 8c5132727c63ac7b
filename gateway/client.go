package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Client steers a gateway through its control endpoint. It may be used by
// many goroutines at once.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// NewClient makes a client of the endpoint at address, as Options.Control has
// it. Nothing is connected to yet.
func NewClient(address, token string) (*Client, error) {
	u, err := ParseControl(address)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true} // the process behind the socket changes
	base := "http://" + u.Host
	if u.Scheme == "unix" {
		base = "http://gateway"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", u.Path)
		}
	}
	return &Client{base: base, token: token, http: &http.Client{Transport: transport}}, nil
}

// Apply puts c in force, as Gateway.Apply does.
func (c *Client) Apply(ctx context.Context, config *Config) error {
	return c.call(ctx, http.MethodPut, "/config", config, nil)
}

// Config is the configuration in force.
func (c *Client) Config(ctx context.Context) (*Config, error) {
	var config Config
	return &config, c.call(ctx, http.MethodGet, "/config", nil, &config)
}

// Status is what the gateway is doing now.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var s Status
	return &s, c.call(ctx, http.MethodGet, "/status", nil, &s)
}

// Metrics are the gateway's series in Prometheus's text format.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	return c.fetch(ctx, http.MethodGet, "/metrics", nil)
}

// Drain answers new requests of a service with 503.
func (c *Client) Drain(ctx context.Context, service string) error {
	return c.call(ctx, http.MethodPost, "/drain?service="+url.QueryEscape(service), nil, nil)
}

// Pause holds new requests of a service.
func (c *Client) Pause(ctx context.Context, service string) error {
	return c.call(ctx, http.MethodPost, "/pause?service="+url.QueryEscape(service), nil, nil)
}

// Resume ends Drain and Pause.
func (c *Client) Resume(ctx context.Context, service string) error {
	return c.call(ctx, http.MethodPost, "/resume?service="+url.QueryEscape(service), nil, nil)
}

// Upgrade hands the gateway over to a new process and gives its id.
func (c *Client) Upgrade(ctx context.Context) (pid int, err error) {
	var u Upgraded
	err = c.call(ctx, http.MethodPost, "/upgrade", nil, &u)
	return u.PID, err
}

// WaitLeft waits until the targets of a service with these ids, which the
// configuration no longer has, answer no request any more, in this process or
// the one that it took over from. Then they can be stopped and nobody
// notices. Without ids it waits for every leaving target of the service.
func (c *Client) WaitLeft(ctx context.Context, service string, ids ...string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := c.Status(ctx)
		if err == nil && s.Left(service, ids...) {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = greenlight.Errorf(greenlight.CodeUnavailable, "replicas of %s still answer requests", service)
			}
			return fmt.Errorf("%w: %w", err, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// Left tells whether the targets of a service with these ids, which are no
// longer configured, answer no request any more; without ids, all of them.
func (s *Status) Left(service string, ids ...string) bool {
	return s.Predecessor == 0 && s.Successor == 0 && !slices.ContainsFunc(s.Leaving, func(t LeavingTarget) bool {
		return t.Service == service && (len(ids) == 0 || slices.Contains(ids, t.ID))
	})
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	data, err := c.fetch(ctx, method, path, body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(data, out)
}

// maxControlAnswer bounds what a gateway may answer: the status of the
// largest configuration.
const maxControlAnswer = 4 * MaxConfigBytes

func (c *Client) fetch(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "the gateway does not answer: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxControlAnswer))
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "the gateway's answer broke off: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return data, nil
	}
	var e controlError
	if json.Unmarshal(data, &e) != nil || e.Error == "" {
		e.Error = strings.TrimSpace(string(data[:min(len(data), 500)]))
	}
	if e.Code == "" {
		e.Code = greenlight.CodeRefused
	}
	return nil, &greenlight.Error{Code: e.Code, Message: e.Error}
}
