package observe_test

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/observe"
)

var sizes = []int{3, 200}

// BenchmarkTick is all that the sampler does in a second, for services with
// two replicas each that are processes of this machine; but for the gateway,
// whose text is at hand.
func BenchmarkTick(b *testing.B) {
	for _, services := range sizes {
		b.Run(fmt.Sprintf("%d services", services), func(b *testing.B) {
			text := textOf(b, services, 2)
			replicas := sleepers(b, services, 2)
			s := observe.NewSampler(observe.Options{
				Gateway:  metrics(func() ([]byte, error) { return text, nil }),
				Replicas: func(context.Context) ([]greenlight.Replica, error) { return replicas, nil },
			})
			s.Tick(b.Context())
			b.ReportAllocs()
			for b.Loop() {
				s.Tick(b.Context())
			}
			if got := len(s.Latest()); got != services {
				b.Fatal(got)
			}
		})
	}
}

// sleepers are processes that do nothing.
func sleepers(b *testing.B, services, each int) (replicas []greenlight.Replica) {
	for i := range services {
		for j := range each {
			command := exec.Command("sleep", "300")
			command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := command.Start(); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				_ = command.Process.Kill()
				_ = command.Wait()
			})
			replicas = append(replicas, greenlight.Replica{
				ID: fmt.Sprintf("service-%03d-4b7d9aa-%d", i, j), Environment: "production", Service: fmt.Sprintf("service-%03d", i),
				PID: command.Process.Pid, State: greenlight.ReplicaReady,
			})
		}
	}
	return replicas
}

// BenchmarkTickWithGateway is the same with a real gateway's answer.
func BenchmarkTickWithGateway(b *testing.B) {
	for _, services := range sizes {
		b.Run(fmt.Sprintf("%d services", services), func(b *testing.B) {
			g := gatewayOf(b, services, 2)
			s := observe.NewSampler(observe.Options{
				Gateway: g, Replicas: func(context.Context) ([]greenlight.Replica, error) { return nil, nil },
			})
			b.ReportAllocs()
			for b.Loop() {
				s.Tick(b.Context())
			}
			if got := len(s.Latest()); got != services {
				b.Fatal(got)
			}
		})
	}
}

// BenchmarkScan compares reading a gateway's text with the format's own parser.
func BenchmarkScan(b *testing.B) {
	text := textOf(b, 200, 2)
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		take := observe.NewTake()
		for b.Loop() {
			take(text)
		}
	})
	b.Run("expfmt", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if err := parse(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHour is the memory of a full hour, and how long it takes to read.
func BenchmarkHour(b *testing.B) {
	const services = 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	hour := observe.NewHour(services)
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		if got := len(hour.Series("production", "service-0", time.Hour, 300).Samples); got != 300 {
			b.Fatal(got)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/services, "B/service")
	runtime.KeepAlive(hour)
}
