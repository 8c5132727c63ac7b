package plan

import (
	"encoding/json"
	"errors"
	"io"

	greenlight "github.com/greenlight-dev/greenlight"
)

// MaxFileBytes bounds a plan's JSON.
const MaxFileBytes = 16 << 20

// Read reads a plan from its JSON, and tells whether it is whole.
func Read(in io.Reader) (*Plan, error) {
	text, err := io.ReadAll(io.LimitReader(in, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxFileBytes {
		return nil, invalid("the plan has more than %d bytes", MaxFileBytes)
	}
	var p Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "not a capacity plan: %w", err)
	}
	if p.Version != Version {
		return nil, greenlight.Errorf(greenlight.CodeUnsupported, "a capacity plan of form %d; this greenlight reads form %d", p.Version, Version)
	}
	if err := p.whole(); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "not a whole capacity plan: %w", err)
	}
	return &p, nil
}

// whole tells whether all that pages and grades take for granted is there.
func (p *Plan) whole() error {
	if p.Traffic == nil || p.Latency == nil || len(p.Periods) == 0 || len(p.Curve) == 0 || len(p.Curve) > MaxReplicas {
		return errors.New("traffic, latency, periods or curve are missing")
	}
	if !label.MatchString(p.Service) {
		return errors.New("the name of its service is none")
	}
	if err := p.Latency.Check(); err != nil {
		return err
	}
	for i, c := range p.Curve {
		if c.Replicas != i+1 {
			return errors.New("its curve does not go through 1, 2, 3… replicas")
		}
	}
	for _, s := range p.Evidence.Stages {
		if !(s.PerRequest > 0) {
			return errors.New("a stage has no operations for a request")
		}
	}
	for _, d := range p.Periods {
		if d.Replicas < 1 || d.Replicas > MaxReplicas || !d.To.After(d.From) {
			return errors.New("a period has no replicas or no length")
		}
	}
	return nil
}
