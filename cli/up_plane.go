package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
)

// runningPlane is a control plane in this process while it runs.
type runningPlane struct {
	state string
	stop  context.CancelFunc
	ended context.Context // done when Run has returned
	err   error           // of Run and Close, once ended
}

// startPlane makes a control plane and runs it until its stop is called or ctx
// ends; wait must be called in the end.
func (env *Env) startPlane(ctx context.Context, o *planeFlags, state string) (*runningPlane, error) {
	options, err := env.planeOptions(o, state)
	if err != nil {
		return nil, err
	}
	return env.runPlane(ctx, options)
}

func (env *Env) planeOptions(o *planeFlags, state string) (PlaneOptions, error) {
	program, err := lastingProgram(state)
	if err != nil {
		return PlaneOptions{}, err
	}
	return PlaneOptions{
		State: state, Control: o.control, Gateway: o.gateway,
		PublicControl: o.publicControl, PublicGateway: o.publicGateway,
		Program: []string{program}, Version: env.Build.Version,
		Log: slog.New(slog.NewTextHandler(env.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, nil
}

func (env *Env) runPlane(ctx context.Context, options PlaneOptions) (*runningPlane, error) {
	plane, err := env.ControlPlane(ctx, options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended, end := context.WithCancel(context.Background())
	p := &runningPlane{state: options.State, stop: cancel, ended: ended}
	go func() {
		defer end()
		p.err = plane.Run(ctx)
		if errors.Is(p.err, context.Canceled) {
			p.err = nil
		}
		p.err = errors.Join(p.err, plane.Close())
	}()
	return p, nil
}

// wait waits for the end and gives its error.
func (p *runningPlane) wait() error {
	<-p.ended.Done()
	return p.err
}

// client connects to the control plane as every other command does.
func (p *runningPlane) client(ctx context.Context) (*client.Client, error) {
	return awaitPlane(ctx, p.state, p.ended)
}

// endsSoon tells whether the control plane has ended, or is about to: what it
// was asked for breaks off a moment before.
func endsSoon(ended context.Context) bool {
	select {
	case <-ended.Done():
		return true
	case <-time.After(200 * time.Millisecond):
		return false
	}
}

// planePatience is how long a control plane may take to answer.
const planePatience = 20 * time.Second

// awaitPlane waits until the control plane of a state folder answers, or until
// the context ended, of the one who starts it, is done.
func awaitPlane(ctx context.Context, state string, ended context.Context) (*client.Client, error) {
	deadline := time.After(planePatience)
	for {
		c, err := client.Discover(state)
		if err == nil {
			if err = c.Health(ctx); err == nil {
				return c, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ended.Done():
			return nil, errPlaneEnded
		case <-deadline:
			return nil, greenlight.Errorf(greenlight.CodeUnavailable, "the control plane does not answer after %s: %w", planePatience, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

var errPlaneEnded = errors.New("the control plane has ended")

// makeState makes the state folder, which only its owner may enter.
func makeState(state string) error {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "cannot make the state folder: %w; choose another with --state", err)
	}
	return nil
}

// shownTail is how many last lines of a log explain a failure.
const shownTail = 12

func tailText(lines []string) string {
	text := ""
	for _, line := range lines[max(0, len(lines)-shownTail):] {
		text += fmt.Sprintf("\n    %s", tame(line))
	}
	return text
}
