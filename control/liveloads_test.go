package control_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
)

const liveTest = "20260102-030405000-4b7d9a"

// reportAt is a report after some seconds of a test.
func reportAt(second float64) control.LoadReport {
	return control.LoadReport{Model: "open", Total: 30, Elapsed: second, Requests: int64(200 * second), Rate: 200, P99: 0.01,
		Thresholds: []control.LoadThreshold{{Threshold: "p99<20ms", Value: 0.01, OK: true}},
		Last:       control.LoadSecond{At: second, Planned: 200, Rate: 199, P99: 0.01}}
}

// TestLiveLoad follows a test from its first report to its end.
func TestLiveLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}, web: {run: ./web}}" + mem1)
		report := func(r control.LoadReport) control.LoadOrder {
			t.Helper()
			order, err := w.ReportLoad(t.Context(), "dev", "api", liveTest, r, "user:ada")
			must(t, err)
			return order
		}
		before := w.LoadsChanged()
		for second := range 4 {
			report(reportAt(float64(second)))
			time.Sleep(time.Second)
		}
		select {
		case <-before:
		default:
			t.Error("who waits for a change is not told")
		}
		running, err := w.LiveLoads(t.Context(), "dev", "api")
		must(t, err)
		if len(running) != 1 || running[0].ID != liveTest || running[0].By != "user:ada" || running[0].State != control.LoadRunning || running[0].Requests != 600 {
			t.Fatalf("running: %+v", running)
		}
		if s := running[0].Seconds; len(s) != 3 || s[0].At != 1 || s[2].At != 3 { // of the first report nothing is over
			t.Errorf("seconds %+v", s)
		}
		if since := time.Since(running[0].StartedAt); since != 4*time.Second {
			t.Errorf("it started %s ago", since)
		}
		if all := w.RunningLoads(); len(all) != 1 || all[0].Seconds != nil || all[0].Elapsed != 3 {
			t.Errorf("of every service: %+v", all)
		}
		if others, err := w.LiveLoads(t.Context(), "dev", "web"); err != nil || others == nil || len(others) != 0 {
			t.Errorf("of another service: %+v, %v", others, err)
		}

		for range 2 { // the second says nothing new
			stopping, err := w.StopLoad(t.Context(), "dev", "api", liveTest, "user:grace")
			if err != nil || stopping.State != control.LoadStopping || stopping.StoppedBy != "user:grace" {
				t.Errorf("stopping: %+v, %v", stopping, err)
			}
		}
		if e := w.events("load.stopped"); len(e) != 1 || e[0].Actor != "user:grace" || e[0].Message != "asked the load test of user:ada to stop" || e[0].Subject != liveTest {
			t.Errorf("events %+v", e)
		}
		if order := report(reportAt(4)); order.Stop != "user:grace" {
			t.Errorf("the answer to the next report is %+v", order)
		}
		last := reportAt(4.2)
		last.Ended, last.Kept, last.Stopped = true, "20260102-030409000-aaaaaa", "stopped by user:grace"
		report(last)
		report(reportAt(5)) // too late
		if all := w.RunningLoads(); all[0].State != control.LoadEnded || all[0].Kept != last.Kept || all[0].Elapsed != 4.2 {
			t.Errorf("ended: %+v", all)
		}
		time.Sleep(9 * time.Second)
		changed := w.LoadsChanged()
		time.Sleep(2 * time.Second)
		<-changed
		if all := w.RunningLoads(); len(all) != 0 {
			t.Errorf("it is not forgotten: %+v", all)
		}
		must(t, w.close())
	})
}

// TestLiveLoadsAreBounded: in number, in length, in how often they report.
func TestLiveLoadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		long := strings.Repeat("x", 5000)
		for second := range 5000 {
			r := reportAt(float64(second))
			r.Phase, r.VoidReason, r.Kept, r.Model = long, long, "../../x", "odd"
			for range 100 {
				r.Thresholds = append(r.Thresholds, control.LoadThreshold{Threshold: long})
			}
			_, err := w.ReportLoad(t.Context(), "dev", "api", liveTest, r, "user:ada")
			must(t, err)
			time.Sleep(time.Second)
		}
		one, err := w.LiveLoads(t.Context(), "dev", "api")
		must(t, err)
		r := one[0]
		if len(r.Phase) > 400 || len(r.VoidReason) > 400 || len(r.Thresholds) > 20 || len(r.Thresholds[5].Threshold) > 400 || r.Kept != "" || r.Model != "open" {
			t.Errorf("texts of %d and %d bytes, %d thresholds, kept %q, model %q", len(r.Phase), len(r.VoidReason), len(r.Thresholds), r.Kept, r.Model)
		}
		if n := len(r.Seconds); n < 300 || n > 600 || r.Seconds[0].At > 20 || r.Seconds[n-1].At < 4980 {
			t.Errorf("%d seconds from %v to %v", n, r.Seconds[0].At, r.Seconds[n-1].At)
		}
		for i := 1; i < len(r.Seconds); i++ {
			if d := r.Seconds[i].At - r.Seconds[i-1].At; d < 1 || d > 32 {
				t.Fatalf("%v s between two of them", d)
			}
		}
		for i := range 1000 { // within one second
			_, err := w.ReportLoad(t.Context(), "dev", "api", liveTest, reportAt(5000+float64(i)/1000), "user:ada")
			must(t, err)
			time.Sleep(time.Millisecond)
		}
		if after := w.RunningLoads()[0]; after.Elapsed > 5000.9 {
			t.Errorf("every one of a thousand reports in a second was taken: %v", after.Elapsed)
		}

		for i := range 2 * control.MaxLiveLoads {
			_, err = w.ReportLoad(t.Context(), "dev", "api", fmt.Sprintf("20260102-030405000-%06x", i), reportAt(0), "user:ada")
		}
		if greenlight.CodeOf(err) != greenlight.CodeUnavailable || len(w.RunningLoads()) != control.MaxLiveLoads {
			t.Errorf("%d run, the last one: %v", len(w.RunningLoads()), err)
		}
		time.Sleep(11 * time.Second)
		if n := len(w.RunningLoads()); n != 0 {
			t.Errorf("%d of them are not forgotten", n)
		}
		must(t, w.close())
	})
}

func TestLiveLoadsThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		for _, tt := range []struct {
			service, id string
			code        greenlight.Code
		}{{"api", "x", greenlight.CodeInvalid}, {"web", liveTest, greenlight.CodeNotFound}} {
			if _, err := w.ReportLoad(t.Context(), "dev", tt.service, tt.id, reportAt(1), "user:ada"); greenlight.CodeOf(err) != tt.code {
				t.Errorf("reporting %v: %v", tt, err)
			}
		}
		if _, err := w.StopLoad(t.Context(), "dev", "api", liveTest, "user:ada"); greenlight.CodeOf(err) != greenlight.CodeNotFound {
			t.Errorf("stopping what does not run: %v", err)
		}
		if _, err := w.LiveLoads(t.Context(), "dev", "web"); greenlight.CodeOf(err) != greenlight.CodeNotFound {
			t.Errorf("of no service: %v", err)
		}
		must(t, w.close())
	})
}
