// Package client speaks to a control plane over its HTTP API.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// maxAnswer is how many bytes of an answer in JSON are read.
const maxAnswer = 64 << 20

// Client speaks to one control plane; it may be used by many goroutines at
// the same time. Errors are greenlight errors with the code and the message
// of the control plane.
type Client struct {
	address string // as New takes it
	base    string // of URLs
	token   string
	http    *http.Client
	once    bool // streams are not connected again
}

// New makes a client for "unix:///path/control.sock", "http://127.0.0.1:7070",
// "https://greenlight.example.com" or "127.0.0.1:7070". token may be "" on
// this machine. Nothing is sent yet.
func New(address, token string) (*Client, error) {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{DialContext: dialer.DialContext, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second}
	c := &Client{address: address, token: token, http: &http.Client{
		Transport: transport,
		// A redirect would carry the token to somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		if !filepath.IsAbs(path) {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "address %q: after unix:// comes an absolute path", address)
		}
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		}
		c.base, c.token = "http://localhost", "" // who can open it needs none
		return c, nil
	}
	base, err := baseURL(address)
	if err != nil {
		return nil, err
	}
	c.base, transport.Proxy = base, http.ProxyFromEnvironment // never for loopback
	return c, nil
}

// baseURL is where the API of an address begins.
func baseURL(address string) (string, error) {
	text := address
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", greenlight.Errorf(greenlight.CodeInvalid,
			"address %q is none of HOST:PORT, http://HOST:PORT, https://HOST and unix:///PATH", address)
	}
	return u.Scheme + "://" + u.Host, nil
}

// Address is where the client speaks to, as New takes it.
func (c *Client) Address() string { return c.address }

// Once gives a client whose streams end when they break, instead of being
// connected again.
func (c *Client) Once() *Client {
	once := *c
	once.once = true
	return &once
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is one request to the API.
type request struct {
	method string
	root   string   // "" is /api/v1
	path   []string // below it; joined and escaped
	query  url.Values
	header http.Header
	body   io.Reader
}

// get and the like give a request of a path below /api/v1.
func get(path ...string) request  { return request{method: http.MethodGet, path: path} }
func post(path ...string) request { return request{method: http.MethodPost, path: path} }

func ofService(method, environment, service string, rest ...string) request {
	return request{method: method, path: append([]string{"environments", environment, "services", service}, rest...)}
}

// with adds a body in JSON.
func (r request) with(body any) request {
	text, err := json.Marshal(body)
	if err != nil {
		r.body = failingReader{err}
		return r
	}
	r.header = http.Header{"Content-Type": {"application/json"}}
	r.body = bytes.NewReader(text)
	return r
}

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func (r request) url(base string) (string, error) {
	var b strings.Builder
	b.WriteString(base + cmp.Or(r.root, "/api/v1"))
	for _, p := range r.path {
		if p == "" || p == "." || p == ".." { // the path would mean something else
			return "", greenlight.Errorf(greenlight.CodeInvalid, "%q is no name", p)
		}
		b.WriteString("/" + url.PathEscape(p))
	}
	if len(r.query) > 0 {
		b.WriteString("?" + r.query.Encode())
	}
	return b.String(), nil
}

// send gives the answer to a request; its body is to be closed. Every status
// but 2xx is an error.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	to, err := r.url(c.base)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method, to, r.body)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("X-Greenlight", "1")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, answeredError(resp)
	}
	return resp, nil
}

// do sends a request whose answer has no body.
func (c *Client) do(ctx context.Context, r request) error {
	resp, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// fetch sends a request and reads the answer.
func fetch[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	resp, err := c.send(ctx, r)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		return out, greenlight.Errorf(greenlight.CodeUnavailable, "what answers at %s is no control plane", c.address)
	}
	body := &io.LimitedReader{R: resp.Body, N: maxAnswer}
	if err := json.NewDecoder(body).Decode(&out); err != nil {
		if body.N <= 0 {
			return out, greenlight.Errorf(greenlight.CodeUnsupported, "the answer of the control plane has more than %d MiB", maxAnswer>>20)
		}
		return out, c.brokenOff(err)
	}
	return out, nil
}
