package cli

import (
	"testing"

	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/spec"
)

func TestWhatNamesAService(t *testing.T) {
	for arg, want := range map[string]bool{
		"web": true, "production/web": true, "a-1": true, "localhost": false, "localhost/x": false, "127.0.0.1:80/": false,
		"shop.example": false, "http://web/": false, "a/b/c": false, "web/": false, "Web": false,
	} {
		if namesService(arg) != want {
			t.Errorf("%q names a service: %v", arg, !want)
		}
	}
}

// What a control plane elsewhere calls loopback is not ours.
func TestGatewaySeenFromHere(t *testing.T) {
	for _, tt := range []struct {
		control, gateway, address string
		here                      bool
	}{
		{"unix:///x/control.sock", "127.0.0.1:8080", "127.0.0.1:8080", true},
		{"unix:///x/control.sock", "0.0.0.0:8080", "127.0.0.1:8080", true},
		{"127.0.0.1:7070", "[::]:8080", "127.0.0.1:8080", true},
		{"http://localhost:7070", "10.0.0.5:80", "10.0.0.5:80", true},
		{"https://greenlight.example.com", "0.0.0.0:8080", "greenlight.example.com:8080", false},
		{"https://10.0.0.4:7070", ":8080", "10.0.0.4:8080", false},
		{"10.0.0.4:7070", "10.0.0.5:80", "10.0.0.5:80", false},
		{"10.0.0.4:7070", "127.0.0.1:8080", "", false},
	} {
		address, here, err := seenFromHere(tt.control, tt.gateway)
		if address != tt.address || here != tt.here || (err != nil) != (tt.address == "") {
			t.Errorf("%s and %s: %q, %v, %v; want %q, %v", tt.control, tt.gateway, address, here, err, tt.address, tt.here)
		}
	}
}

// A description's thresholds are checked by their looks; all that pass must be
// understood, and all that are understood must pass.
func TestThresholdsOfDescriptions(t *testing.T) {
	for _, text := range []string{
		"p99<50ms", "p99.9 <= 1s", "p999<1s", "service.p50>1ms", "response.max<1m30s", "mean<1.5ms", "min>0s", "errors<0.1%", "errors<=0.01", "rate>=500/s", "rate>5",
		"p99", "p99<50", "errors<x", "speed>1", "p99=5ms", "rate<5/m", "p1000<1s",
	} {
		_, err := load.ParseThreshold(text)
		_, wrong := spec.Parse("f", []byte("name: s\nservices: {web: {run: [w]}}\nload: {a: {service: web, rate: 5/s, thresholds: [\""+text+"\"]}}\n"))
		if (err == nil) != (wrong == nil) {
			t.Errorf("%q: a test says %v, a description %v", text, err, wrong)
		}
	}
}
