package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// pace is how fast a log is replayed: 2 or 2x is twice as fast.
type pace float64

func (p *pace) String() string { return strconv.FormatFloat(float64(*p), 'g', -1, 64) }
func (*pace) Type() string     { return "float" }

func (p *pace) Set(text string) error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || !(v > 0) {
		return errors.New("want a number above 0, as 2 or 2x")
	}
	*p = pace(v)
	return nil
}

// replay sends what a log tells of again; false where it has only times, or
// only those are wanted.
func (o *loadOptions) replay(env Env, test *loadTest, fields []load.Field, rows *load.Rows) (whole bool, err error) {
	if o.log == "" || o.replayTimes || test.Target.GRPC {
		return false, nil
	}
	log, err := o.readLog(test)
	if err != nil || !log.HasRequests() {
		return false, err
	}
	if o.proof+o.method+o.path != "" {
		return false, &usageError{fmt.Errorf("%s holds the requests themselves; leave --proof, --method and --path out, or take its times alone with --replay-times", o.log)}
	}
	options := load.ReplayOptions{Unsafe: o.replayUnsafe, Header: fields}
	if options.Body, err = readBody(env, o.body); err != nil {
		return false, err
	}
	if o.requests != "" {
		if options.Bodies, err = o.fileRequests(env); err != nil {
			return false, err
		}
		if test.service != nil {
			test.service.relative(options.Bodies)
		}
	}
	again, err := log.Replay(options)
	if err != nil {
		return false, fmt.Errorf("%s: %w", o.log, err)
	}
	if expect := (load.Expect{Status: o.status, Contains: o.contains}); expect != (load.Expect{}) {
		for i := range again.Requests {
			again.Requests[i].Expect = expect
		}
	}
	if test.Mix, err = load.NewMix(test.Target, again.Requests, rows, !o.closeEach, o.seed); err != nil {
		return false, err
	}
	if err := test.Mix.InOrder(again.Order); err != nil {
		return false, err
	}
	test.notes = again.Notes
	test.Arrivals, err = o.replayed(again.Times)
	return true, err
}

// readLog reads the log; of a service, what went to it.
func (o *loadOptions) readLog(test *loadTest) (log *load.AccessLog, err error) {
	service := ""
	if test.service != nil {
		service = test.service.name.service
	}
	err = readLoadFile(o.log, func(in io.Reader) error {
		log, err = load.ReadAccessLog(in, service)
		return err
	})
	return log, err
}

// replayed is a plan of recorded times, held against the ceilings.
func (o *loadOptions) replayed(times []time.Duration) (*load.Arrivals, error) {
	a, err := load.Replay(times, float64(o.speed))
	if err != nil {
		return nil, err
	}
	switch {
	case a.Length() > o.maxDuration:
		return nil, &usageError{fmt.Errorf("%s spans %v, above --max-duration %v; raise that or --speed", o.log, a.Length().Round(time.Second), o.maxDuration)}
	case a.Peak() > o.maxRate:
		return nil, &usageError{fmt.Errorf("%s has a second of %.0f requests, above --max-rate %v; raise that or lower --speed", o.log, a.Peak(), o.maxRate)}
	}
	return a, nil
}
