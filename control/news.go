package control

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// reconciler is the actor of what nobody asked for.
const reconciler = "reconciler"

// hear takes in a change that a backend tells of.
func (p *Plane) hear(c backend.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.environments[c.Replica.Environment]
	if e == nil {
		return
	}
	before, known := e.replicas[c.Replica.ID]
	if c.Gone {
		delete(e.replicas, c.Replica.ID)
	} else {
		e.replicas[c.Replica.ID] = c.Replica
	}
	if known && before == c.Replica && !c.Gone {
		return
	}
	if event, ok := unprompted(before, c); ok {
		p.tell(event)
	}
	p.change()
	e.poke()
}

// unprompted is the event of a change of state that no step caused.
func unprompted(before greenlight.Replica, c backend.Change) (greenlight.Event, bool) {
	r := c.Replica
	event := greenlight.Event{Actor: reconciler, Environment: r.Environment, Service: r.Service, Subject: r.ID,
		Evidence: map[string]any{"was": before.State, "pid": before.PID, "restarts": r.Restarts}}
	served := before.State == greenlight.ReplicaReady || before.State == greenlight.ReplicaUnready
	switch {
	case c.Gone || !served:
		return event, false
	case r.State == greenlight.ReplicaFailed || r.State == greenlight.ReplicaCrashing:
		event.Kind, event.Message = "replica.ended", r.ID+" ended by itself: "+reasonOf(r)
		event.Evidence["served"] = r.Since.Sub(before.Since).Round(time.Millisecond).String()
	case r.State == greenlight.ReplicaUnready:
		event.Kind, event.Message = "replica.unready", r.ID+" does not answer its check: "+reasonOf(r)
	case r.State == greenlight.ReplicaReady && before.State == greenlight.ReplicaUnready && r.PID == before.PID:
		event.Kind, event.Message = "replica.recovered", r.ID+" answers its check again"
	default:
		return event, false
	}
	event.Message = clip(event.Message, maxMessage)
	return event, true
}

func reasonOf(r greenlight.Replica) string {
	if r.Reason == "" {
		return "no reason is known"
	}
	return r.Reason
}

// maxMessage keeps a line of prose a line.
const maxMessage = 1000

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// tell has an event recorded soon. The lock is held.
func (p *Plane) tell(event greenlight.Event) {
	event.Time = time.Now()
	const most = 10_000 // while the store refuses
	if len(p.news) < most {
		p.news = append(p.news, event)
	}
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// recordLoop writes what was told to the store.
func (p *Plane) recordLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.more:
			p.recordNews(ctx)
		}
	}
}

func (p *Plane) recordNews(ctx context.Context) {
	p.mu.Lock()
	news := p.news
	p.news = nil
	p.mu.Unlock()
	for i := range news {
		if news[i].Kind == "replica.ended" {
			news[i].Evidence["logs"] = p.lastLines(ctx, news[i].Environment, news[i].Subject)
		}
		if _, err := p.options.Store.Record(ctx, news[i]); err != nil {
			p.options.Log.Error("recording an event", "event", news[i].Message, "error", err)
		}
	}
}

// lastLines are the last lines that a replica wrote; what cannot be read is
// left out.
func (p *Plane) lastLines(ctx context.Context, environment, id string) []string {
	p.mu.Lock()
	e := p.environments[environment]
	p.mu.Unlock()
	const most, longest = 20, 500
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	output, err := e.backend.Logs(ctx, environment, id, backend.LogOptions{Tail: most})
	if err != nil {
		return nil
	}
	defer output.Close()
	lines := bufio.NewScanner(output)
	var list []string
	for lines.Scan() && len(list) < most {
		list = append(list, clip(strings.ToValidUTF8(lines.Text(), "\uFFFD"), longest))
	}
	return list
}

// lineOf is how status names a replica that does not serve.
func lineOf(r greenlight.Replica) string {
	switch r.State {
	case greenlight.ReplicaFailed, greenlight.ReplicaCrashing:
		return fmt.Sprintf("%s ended: %s", r.ID, reasonOf(r))
	case greenlight.ReplicaUnready:
		return fmt.Sprintf("%s does not answer its check: %s", r.ID, reasonOf(r))
	}
	return fmt.Sprintf("%s is %s", r.ID, r.State)
}
