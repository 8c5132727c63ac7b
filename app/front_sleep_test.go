package app_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// sleepers go to sleep when nobody asks; GATE keeps them from waking up.
const sleepers = `
name: shop
services:
  patient:
    RUN
    env: {VERSION: patient, GATE: FOLDER/gate}
    replicas: {min: 0, max: 1, target: {concurrency: 8}, window: {down: 0s}, hold: 1m}
  hasty:
    RUN
    env: {GATE: FOLDER/gate}
    replicas: {min: 0, max: 1, target: {concurrency: 8}, window: {down: 0s}, hold: 1s}
`

func TestFrontHoldsRequestsOfSleepers(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	must(t, os.WriteFile(f.path("gate"), nil, 0o600))
	f.up(sleepers)
	// Half a minute without requests is the least before a service goes to sleep.
	within(t, time.Minute, "that both sleep", func() bool {
		s := f.state().Services
		return s[0].State == gateway.Paused && s[1].State == gateway.Paused
	})
	must(t, os.Remove(f.path("gate")))
	start := time.Now()
	late := get(t, newClient(t, false, "127.0.0.1"), f.url+"/hasty/x")
	want(t, "one that does not wake up in time", fmt.Sprint(late.StatusCode, late.Header.Get("Retry-After") != ""), "503 true")
	if took := time.Since(start); took < time.Second || took > 10*time.Second {
		t.Errorf("after %s", took)
	}
	answers := make(chan string, 2)
	for _, http2 := range []bool{false, true} {
		c, req := newClient(t, http2, "127.0.0.1"), request(t, "POST", f.url+"/patient/x", "kept")
		go func() {
			resp, err := c.Do(req)
			if err != nil {
				answers <- err.Error()
				return
			}
			resp.Body.Close()
			answers <- resp.Status
		}()
	}
	eventually(t, "two that wait", func() bool { return f.of("dev/patient").Held == 2 })
	must(t, os.WriteFile(f.path("gate"), nil, 0o600))
	for range 2 {
		if status := <-answers; !strings.HasPrefix(status, "200") {
			t.Errorf("woken up, it answers %s", status)
		}
	}
}
