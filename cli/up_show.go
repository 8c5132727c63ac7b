package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/spec"
	"github.com/greenlight-dev/greenlight/store"
)

// upProgress shows how an environment comes to be: a live table on a terminal,
// a line for each event elsewhere.
type upProgress struct {
	live *screen
	view statusView
	tell func(greenlight.Event) error
}

func newUpProgress(w io.Writer, environment string) *upProgress {
	p := &upProgress{view: statusView{palette: paletteFor(w), environment: environment}, tell: eventPrinter(w, false)}
	if isTerminal(w) {
		p.live = &screen{w: w}
	}
	return p
}

func (p *upProgress) event(e greenlight.Event) {
	if p.live == nil {
		_ = p.tell(e) // a broken pipe must not stop what is going on
	}
}

func (p *upProgress) status(s *control.Status) {
	if p.live != nil {
		p.view.now = time.Now()
		p.live.show(p.view.text(*s))
	}
}

// follow tells what happens, a line for each event.
func (u *up) follow(ctx context.Context, c *client.Client) error {
	last, err := newestEvent(ctx, c)
	if err == nil {
		err = c.FollowEvents(ctx, store.EventQuery{After: last.ID}, eventPrinter(u.env.Stdout, false))
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// announce says where everything is and how to go on.
func (u *up) announce(ctx context.Context, c *client.Client, s *control.Status, e *control.Environment) {
	w := u.env.Stdout
	fmt.Fprintln(w)
	for i := range e.Services {
		u.announceService(ctx, c, e.Name, &e.Services[i])
	}
	if s.Control.Address != "" {
		fmt.Fprintf(w, "console  %s/\n", httpURL(s.Control.Address))
	}
	fmt.Fprintf(w, "gateway  %s\n", httpURL(s.Gateway.Address))
	fmt.Fprintf(w, "status   greenlight status%s\n", u.argument())
	fmt.Fprintf(w, "stop     greenlight down%s\n", u.argument())
}

// announceService says where a service is; for a model with a request that
// works.
func (u *up) announceService(ctx context.Context, c *client.Client, environment string, s *control.Service) {
	w := u.env.Stdout
	what := counted(s.Ready, "replica")
	if s.Health == control.Asleep {
		what = "asleep until it is asked"
	}
	if len(s.URLs) == 0 {
		fmt.Fprintf(w, "%s is ready (%s), without a route\n", s.Name, what)
		return
	}
	fmt.Fprintf(w, "%s is ready at %s (%s)\n", s.Name, s.URLs[0], what)
	if s.Kind != "model" || s.Ready == 0 {
		return
	}
	detail, err := c.Service(ctx, environment, s.Name)
	if err != nil {
		return // it serves; only the example is missing
	}
	for _, m := range detail.Models {
		if line := u.sampleRequest(s, m); line != "" {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
}

// sampleRequest is a command line that asks a model, "" where none is known to
// work.
func (u *up) sampleRequest(s *control.Service, m control.ModelInfo) string {
	if len(m.Sample) == 0 || !u.seesPathsBelow(s.Name) {
		return ""
	}
	url := strings.TrimSuffix(s.URLs[0], "/") + m.Path
	if len(m.Sample) <= maxShownRequest {
		return fmt.Sprintf("curl -s %s -d %s", url, shellQuote(compactJSON(m.Sample)))
	}
	if path := u.modelPath(s.Name, m.Name); path != "" {
		return fmt.Sprintf("greenlight inspect %s --sample | curl -s %s --data-binary @-", shellQuote(path), url)
	}
	return ""
}

// seesPathsBelow tells whether a model finds its own paths below a service's
// first route, as it does not where that is a prefix which is left on.
func (u *up) seesPathsBelow(service string) bool {
	for i := range u.system.Services {
		if s := &u.system.Services[i]; s.Name == service && len(s.Routes) > 0 {
			return s.Routes[0].Strip || s.Routes[0].Path == "/"
		}
	}
	return false
}

// modelPath is where a model's file is, "" when it is not one of ours.
func (u *up) modelPath(service, model string) string {
	var found string
	for i := range u.system.Services {
		if u.system.Services[i].Name == service {
			found = pathOf(u.system.Services[i].Models, model)
		}
	}
	if found == "" {
		return ""
	}
	return shortPath(filepath.Join(filepath.Dir(u.description.path), found))
}

func pathOf(models spec.Models, name string) string {
	for _, m := range models {
		if m.Name == name || len(models) == 1 {
			return m.Path
		}
	}
	return ""
}

// compactJSON is data on one line.
func compactJSON(data json.RawMessage) string {
	text, err := json.Marshal(data)
	if err != nil {
		return string(data)
	}
	return string(text)
}
