package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/release"
)

// releasesShown is how many releases a service's page lists.
const releasesShown = 20

// Service is one service with what a person asks next.
func (p *Plane) Service(ctx context.Context, environment, service string) (ServiceDetail, error) {
	p.mu.Lock()
	e, s, err := p.findService(environment, service)
	if err != nil {
		p.mu.Unlock()
		return ServiceDetail{}, err
	}
	out := ServiceDetail{Service: e.serviceStatus(s, p.options.Sampler.Latest()), Environment: environment, Models: []ModelInfo{}}
	v := e.version
	address := e.readyAddress(service)
	p.mu.Unlock()
	if out.Description, err = json.Marshal(s); err != nil {
		return out, err
	}
	if out.Releases, err = p.releasesOf(ctx, service, v.Releases[service]); err != nil {
		return out, err
	}
	if r := v.releases[service]; r.Kind() == "model" {
		for _, m := range r.Models {
			name, _, _ := strings.Cut(m, "=")
			out.Models = append(out.Models, askModel(ctx, address, name, len(r.Models) == 1))
		}
	}
	return out, nil
}

// readyAddress is where a replica that takes requests is, "" for none.
func (e *environment) readyAddress(service string) string {
	for _, r := range e.replicas {
		if r.Service == service && r.State == greenlight.ReplicaReady {
			return r.Address
		}
	}
	return ""
}

func (p *Plane) releasesOf(ctx context.Context, service, current string) ([]ReleaseInfo, error) {
	kept, err := p.options.Store.ListReleases(ctx, service, releasesShown)
	list := make([]ReleaseInfo, 0, len(kept))
	for _, r := range kept {
		list = append(list, ReleaseInfo{Digest: release.Short(r.Digest), CreatedAt: r.CreatedAt, CreatedBy: r.CreatedBy, Current: r.Digest == current})
	}
	return list, err
}

// Bounds on what a replica or a service is asked.
const (
	askTimeout = 2 * time.Second
	tryTimeout = 30 * time.Second
	maxAnswer  = 1 << 20
)

// askModel asks a replica for a model's metadata. Without an answer only the
// model's name is known.
func askModel(ctx context.Context, address, name string, only bool) ModelInfo {
	info := ModelInfo{Name: name, Path: "/v2/models/" + name + "/infer"}
	if address == "" {
		return info
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v2/models/"+url.PathEscape(name), nil)
	if err != nil {
		return info
	}
	answer, err := direct().Do(request)
	if err != nil {
		return info
	}
	defer answer.Body.Close()
	var metadata struct {
		Parameters struct {
			Sample json.RawMessage `json:"sample_request"`
		} `json:"parameters"`
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(data, &metadata) != nil {
		return info
	}
	info.Metadata, info.Sample = data, metadata.Parameters.Sample
	if len(info.Sample) > 0 {
		info.Path = "/models/" + name + "/predict"
		if only {
			info.Path = "/predict"
		}
	}
	return info
}

// direct is a client that goes straight to an address of this machine: by no
// proxy, after no redirect, with no connection kept.
func direct() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Series is a service's past.
func (p *Plane) Series(_ context.Context, environment, service string, since time.Duration, points int) (observe.Series, error) {
	p.mu.Lock()
	_, _, err := p.findService(environment, service)
	p.mu.Unlock()
	if err != nil {
		return observe.Series{}, err
	}
	return p.options.Sampler.Series(environment, service, since, points), nil
}

// Try sends one request to a service through the gateway, as its clients do.
func (p *Plane) Try(ctx context.Context, environment, service string, r TryRequest) (TryResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	request, err := p.tryRequest(ctx, environment, service, r)
	if err != nil {
		return TryResponse{}, err
	}
	began := time.Now()
	answer, err := direct().Do(request)
	if err != nil {
		return TryResponse{}, greenlight.Errorf(greenlight.CodeUnavailable, "no answer from %s through the gateway: %w", service, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return TryResponse{}, greenlight.Errorf(greenlight.CodeUnavailable, "reading the answer of %s: %w", service, err)
	}
	out := TryResponse{Status: answer.StatusCode, Headers: make(map[string]string), Seconds: time.Since(began).Seconds(), Cut: len(body) > maxAnswer}
	out.Body = strings.ToValidUTF8(string(body[:min(len(body), maxAnswer)]), "\uFFFD")
	for name, values := range answer.Header {
		out.Headers[name] = strings.Join(values, ", ")
	}
	return out, nil
}

// tryRequest is a request as it has to look for the gateway to send it to the
// service.
func (p *Plane) tryRequest(ctx context.Context, environment, service string, r TryRequest) (*http.Request, error) {
	if len(r.Body) > maxAnswer {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the body has %d bytes, %d are the most", len(r.Body), maxAnswer)
	}
	p.mu.Lock()
	_, s, err := p.findService(environment, service)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	address := p.options.Keeper.Status().Address
	urls := p.options.Router.URLs(environment, service, address)
	switch {
	case address == "":
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "the gateway does not run")
	case len(urls) == 0:
		return nil, greenlight.Errorf(greenlight.CodeUnsupported, "service %s has no route through the gateway; give it one with routes", service)
	}
	base, err := url.Parse(urls[0])
	if err != nil {
		return nil, err
	}
	asked, err := url.Parse(r.Path)
	if err != nil || !strings.HasPrefix(r.Path, "/") {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the path %q must begin with a slash", clip(r.Path, 100))
	}
	target := *asked
	target.Scheme, target.Host, target.User = "http", reachableAddress(address), nil
	if s.Routes[0].Strip {
		target.Path, target.RawPath = strings.TrimSuffix(base.Path, "/")+asked.Path, ""
	}
	request, err := http.NewRequestWithContext(ctx, strings.ToUpper(r.Method), target.String(), strings.NewReader(r.Body))
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the request: %w", err)
	}
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	request.Host = strings.Replace(base.Host, "*.", "try.", 1)
	return request, nil
}

// reachableAddress is where to connect to for a listener on all addresses.
func reachableAddress(address string) string {
	for _, all := range []string{"0.0.0.0:", "[::]:", ":"} {
		if port, ok := strings.CutPrefix(address, all); ok {
			return "127.0.0.1:" + port
		}
	}
	return address
}
