package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ReplicasYAML is the scaling settings as greenlight.yaml takes them.
func (p *Plan) ReplicasYAML() string {
	s := p.Scaling
	var b strings.Builder
	b.WriteString(p.origin())
	fmt.Fprintf(&b, "services:\n  %s:\n    replicas:", p.Service)
	if s.Min == s.Max {
		fmt.Fprintf(&b, " %d\n", s.Max)
		return b.String()
	}
	target := "requests: " + s.rate()
	if s.Signal == byConcurrency {
		target = "concurrency: " + strconv.Itoa(int(s.Concurrency))
	}
	fmt.Fprintf(&b, "\n      min: %d\n      max: %d\n      target: {%s}\n      window: {up: %ds, down: %dm}\n", s.Min, s.Max, target, s.UpSeconds, s.DownSeconds/60)
	return b.String()
}

// origin says where settings come from, as a comment of one line.
func (p *Plan) origin() string {
	return oneLine(fmt.Sprintf("# capacity plan of %s, expires %s: %s", p.MadeAt.Format(time.DateOnly), p.ExpiresAt.Format(time.DateOnly), p.Scaling.Why)) + "\n"
}

// oneLine keeps words from outside inside the comment that they are put in.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// rate is rounded down: a lower target gives more replicas, not fewer.
func (s Scaling) rate() string {
	digits := 0
	for v := s.Requests; v < 100 && digits < 6; v *= 10 {
		digits++
	}
	text := strconv.FormatFloat(s.Requests, 'f', 6, 64)
	text = text[:len(text)-6+digits]
	return strings.TrimSuffix(text, ".") + "/s"
}

// HPA is the same for Kubernetes, as a HorizontalPodAutoscaler of
// autoscaling/v2. It follows the CPU, the one measure that every cluster has;
// the better one, requests, needs an adapter and stands beside it.
func (p *Plan) HPA() string {
	s := p.Scaling
	var b strings.Builder
	b.WriteString(p.origin())
	if p.Bottleneck.Name != byReplicas {
		fmt.Fprintf(&b, "# The %s gives way at %s: more replicas than max would not help.\n", oneLine(p.Bottleneck.Name), oneLine(p.Bottleneck.Text()))
	}
	fmt.Fprintf(&b, `apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: %[1]s
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: %[1]s
  minReplicas: %[2]d
  maxReplicas: %[3]d
  metrics:
    # Share of the container's CPU request, which must be what the replicas were measured with.
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: %[4]d}
    # With an adapter for custom metrics, instead:
    # - type: Pods
    #   pods:
    #     metric: {name: http_requests_per_second}
    #     target: {type: AverageValue, averageValue: "%[5]s"}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: %[6]d
    scaleDown:
      stabilizationWindowSeconds: %[7]d
`, p.Service, s.Min, s.Max, s.CPUPercent, strings.TrimSuffix(s.rate(), "/s"), s.UpSeconds, s.DownSeconds)
	return b.String()
}
