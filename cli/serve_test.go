package cli

import (
	"net"
	"testing"
)

// Hosts that not every machine can listen on.
func TestBaseURL(t *testing.T) {
	for given, want := range map[string]string{
		"[::1]:0":      "http://[::1]:1234",
		"0.0.0.0:8080": "http://0.0.0.0:1234",
		":8080":        "http://localhost:1234",
		"models.lan:0": "http://models.lan:1234",
	} {
		if got := baseURL(given, &net.TCPAddr{IP: net.IPv6zero, Port: 1234}); got != want {
			t.Errorf("%s is announced as %s, want %s", given, got, want)
		}
	}
}
