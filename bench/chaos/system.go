package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	bench "github.com/greenlight-dev/greenlight/bench/system"
	"github.com/greenlight-dev/greenlight/control"
)

// system is what is shaken: two replicas of a model behind a gateway.
type system struct {
	*bench.System
	gateway string // address
}

const patience = 60 * time.Second

func startSystem(ctx context.Context, binary string) (*system, error) {
	made, err := bench.New(binary)
	if err != nil {
		return nil, err
	}
	s := &system{System: made}
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(err, s.End())
	}
	return s, nil
}

func (s *system) prepare(ctx context.Context) error {
	if err := s.describe(0); err != nil {
		return err
	}
	if err := s.Up(ctx); err != nil {
		return err
	}
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	s.gateway = status.Gateway.Address
	return nil
}

// describe writes the description of one release.
func (s *system) describe(release int) error {
	return s.Describe(fmt.Sprintf("name: chaos\nservices:\n  penguins:\n    model: .\n    replicas: 2\n    env: {RELEASE: \"%d\"}\n", release))
}

// converge waits until the system is as described: two ready replicas of the
// wanted release and a gateway that answers.
func (s *system) converge(ctx context.Context) error {
	var last string
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 50*time.Millisecond) {
		status, err := s.Status(ctx)
		if err != nil {
			last = err.Error()
			continue
		}
		if last = notAsDescribed(status); last == "" {
			return nil
		}
	}
	return errors.Join(ctx.Err(), fmt.Errorf("the system did not converge within %s: %s", patience, last))
}

func notAsDescribed(status control.Status) string {
	if status.Gateway.PID == 0 {
		return "no gateway runs"
	}
	if len(status.Environments) != 1 || len(status.Environments[0].Services) != 1 {
		return "the service is not there"
	}
	service := status.Environments[0].Services[0]
	if service.Ready != 2 || service.Desired != 2 || len(service.Replicas) != 2 {
		return fmt.Sprintf("%d of %d replicas are ready, there are %d", service.Ready, service.Desired, len(service.Replicas))
	}
	for _, r := range service.Replicas {
		if r.State != "ready" || r.Release != service.Release {
			return fmt.Sprintf("replica %s of release %s is %s", r.ID, r.Release, r.State)
		}
	}
	return ""
}

// release rolls a new release out.
func (s *system) release(ctx context.Context, _ *load, n int) error {
	if err := s.describe(n + 1); err != nil {
		return err
	}
	return s.Up(ctx)
}

// killControl kills the control plane, leaves the system alone for a moment,
// and starts it again: the same replicas must serve.
func (s *system) killControl(ctx context.Context, l *load, _ int) error {
	before, err := s.Status(ctx)
	if err != nil {
		return err
	}
	from := time.Now()
	if err := kill(ctx, before.Control.PID); err != nil {
		return err
	}
	pause(ctx, 200*time.Millisecond)
	if err := s.Up(ctx); err != nil {
		return err
	}
	l.disturbed(from, time.Now())
	after, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if was, is := pids(before), pids(after); was != is {
		return fmt.Errorf("the processes were not adopted: gateway and replicas were %s, are %s", was, is)
	}
	return nil
}

// pids names the gateway's and the replicas' processes.
func pids(status control.Status) string {
	list := []int{status.Gateway.PID}
	for _, r := range status.Environments[0].Services[0].Replicas {
		list = append(list, r.PID)
	}
	return fmt.Sprint(list)
}

// stable is how long a replica has to be ready before its end is none of a
// crash loop, in which each start waits longer than the one before.
const stable = 10 * time.Second

// killReplica kills the replica that has been ready for longest.
func (s *system) killReplica(ctx context.Context, l *load, _ int) error {
	before, err := s.Status(ctx)
	if err != nil {
		return err
	}
	victim := slices.MinFunc(before.Environments[0].Services[0].Replicas, func(a, b control.Replica) int { return a.Since.Compare(b.Since) })
	pause(ctx, time.Until(victim.Since.Add(stable)))
	from := time.Now()
	if err := kill(ctx, victim.PID); err != nil {
		return err
	}
	l.disturbed(from, time.Now())
	// The system looks as described until the death is noticed.
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 20*time.Millisecond) {
		if after, err := s.Status(ctx); err == nil && pids(after) != pids(before) {
			return nil
		}
	}
	return errors.Join(ctx.Err(), fmt.Errorf("the death of %s was not noticed within %s", victim.ID, patience))
}

func (s *system) killGateway(ctx context.Context, l *load, _ int) error {
	before, err := s.Status(ctx)
	if err != nil {
		return err
	}
	from := time.Now()
	if err := kill(ctx, before.Gateway.PID); err != nil {
		return err
	}
	if err := s.answers(ctx); err != nil {
		return err
	}
	l.disturbed(from, time.Now())
	return s.newGateway(ctx, before.Gateway.PID)
}

// answers waits until a prediction succeeds.
func (s *system) answers(ctx context.Context) error {
	c := &client{load: &load{address: s.gateway}, method: "POST"}
	defer c.close()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 5*time.Millisecond) {
		if err = c.once(); err == nil {
			return nil
		}
		c.close()
	}
	return errors.Join(ctx.Err(), err)
}

func (s *system) upgradeGateway(ctx context.Context, _ *load, _ int) error {
	before, err := s.Status(ctx)
	if err != nil {
		return err
	}
	if err := syscall.Kill(before.Gateway.PID, syscall.SIGHUP); err != nil {
		return err
	}
	return s.newGateway(ctx, before.Gateway.PID)
}

// newGateway waits until the control plane knows a gateway other than old,
// at the same address.
func (s *system) newGateway(ctx context.Context, old int) error {
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; pause(ctx, 20*time.Millisecond) {
		after, err := s.Status(ctx)
		if err != nil || after.Gateway.PID == 0 || after.Gateway.PID == old {
			continue
		}
		if after.Gateway.Address != s.gateway {
			return fmt.Errorf("the gateway was at %s and came back at %s", s.gateway, after.Gateway.Address)
		}
		return nil
	}
	return errors.Join(ctx.Err(), fmt.Errorf("the control plane knows no new gateway after %s", patience))
}

// kill kills a process and waits until it is gone: until nothing that it
// listened on takes connections any more. The process's descriptor tells, as
// its last thread may end well after its first.
func kill(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("opening process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		return fmt.Errorf("killing process %d: %w", pid, err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}
