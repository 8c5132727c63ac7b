package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// prober asks replicas how they are. Each question takes a new connection: an
// old one would not tell that no new ones are taken.
type prober struct {
	once   sync.Once
	client *http.Client
}

const (
	maxAnswer  = 200                  // bytes of an answer that are kept
	firstPause = 2 * time.Millisecond // between the first two checks of a start
)

func (p *prober) http() *http.Client {
	p.once.Do(func() {
		p.client = &http.Client{
			Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10},
			// a redirect is no good answer: it may lead anywhere
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return p.client
}

func (p *prober) close() { p.http().CloseIdleConnections() }

// asks tells whether a probe checks anything.
func asks(probe greenlight.Probe) bool { return probe.Path != "" || probe.TCP }

// check asks once and gives the answer in one line.
func (p *prober) check(ctx context.Context, probe greenlight.Probe, port int) (answer string, ok bool) {
	if !asks(probe) {
		return "", true
	}
	ctx, cancel := context.WithTimeout(ctx, probe.Timeout)
	defer cancel()
	var err error
	if probe.Path == "" {
		answer, err = connect(ctx, port)
	} else {
		answer, ok, err = p.get(ctx, "http://"+address(port)+probe.Path)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %s", probe.Timeout)
	}
	if err != nil {
		return what(probe) + ": " + cause(err), false
	}
	return what(probe) + ": " + answer, ok || probe.Path == ""
}

func what(probe greenlight.Probe) string {
	if probe.Path == "" {
		return "connect"
	}
	return "GET " + probe.Path
}

// cause leaves out the address and the URL, which say nothing new.
func cause(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return oneLine(err.Error())
}

func connect(ctx context.Context, port int) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp4", address(port))
	if err != nil {
		return "", err
	}
	return "connected", conn.Close()
}

func (p *prober) get(ctx context.Context, url string) (string, bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", false, err
	}
	request.Header.Set("User-Agent", "greenlight-check")
	response, err := p.http().Do(request)
	if err != nil {
		return "", false, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return "", false, err
	}
	ok := response.StatusCode >= 200 && response.StatusCode < 300
	return strings.TrimSuffix(response.Status+": "+oneLine(string(body)), ": "), ok, nil
}

// oneLine makes text fit for a message: no control characters, no line ends.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "?"), func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
}

// untilReady asks, first often and then at the probe's interval, until the
// answers are good or ctx ends; it gives the last answer.
func (p *prober) untilReady(ctx context.Context, probe greenlight.Probe, port int) (answer string, ready bool) {
	pause := firstPause
	for good := 0; ; {
		said, ok := p.check(ctx, probe, port)
		if ctx.Err() == nil || ok {
			answer = said // not the answer that was cut short by the end
		}
		if good++; !ok {
			good = 0
		}
		if good >= probe.Successes {
			return answer, true
		}
		select {
		case <-ctx.Done():
			return answer, false
		case <-time.After(min(pause, probe.Interval)):
			pause += pause / 2
		}
	}
}

// trend turns single answers into a judgement, as often as the probe wants to
// hear the same.
type trend struct {
	probe greenlight.Probe
	good  bool
	run   int // answers in a row against the judgement
	next  time.Time
}

// hear takes an answer and tells whether the judgement changed.
func (t *trend) hear(ok bool) bool {
	if ok == t.good {
		t.run = 0
		return false
	}
	need := t.probe.Failures
	if ok {
		need = t.probe.Successes
	}
	if t.run++; t.run < need {
		return false
	}
	t.good, t.run = ok, 0
	return true
}
