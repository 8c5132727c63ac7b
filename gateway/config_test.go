package gateway_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
)

// full has every field.
const full = `{
  "version": 1, "revision": "r",
  "listeners": [{"name": "a", "address": ":443", "tls": {"files": [{"cert": "c", "key": "k"}],
    "acme": {"domains": ["shop.example"], "cache": "/c", "email": "a@b", "directory": "https://ca.example/dir"}}}],
  "server": {"maxHeaderBytes": 2048, "headerTimeout": "5s", "idleTimeout": "1m0s", "stallTimeout": "30s"},
  "clients": {"trustedProxies": ["10.0.0.0/8", "::1"], "header": "X-Real-Ip", "maxTracked": 100},
  "accessLog": {"path": "-", "sample": 0.5},
  "routes": [{"name": "r", "hosts": ["a.example", "*.b.example"], "path": "/x", "methods": ["GET"], "stripPrefix": true, "service": "s",
    "maxBodyBytes": -1, "timeout": "1s", "limit": {"rate": 10, "burst": 20}, "clientLimit": {"rate": 0.5}}],
  "services": [{"name": "s", "protocol": "http1", "state": "active",
    "releases": [{"name": "v1", "weight": 1, "targets": [{"id": "t", "address": "127.0.0.1:1"}]}, {"name": "v2", "weight": 0}],
    "sticky": {"cookie": "c"}, "check": {"path": "/h", "interval": "1s", "timeout": "1s", "unhealthy": 1, "healthy": 1},
    "ejection": {"failures": 1, "connectFailures": -1, "base": "1s", "max": "1s"}, "retry": {"attempts": 2, "budget": 0},
    "hold": {"requests": 1, "timeout": "1s"}, "timeouts": {"connect": "1s", "response": "1s", "idle": "1s"},
    "mirror": {"release": "v2", "percent": 5, "queue": 1, "compare": true, "maxBodyBytes": 1, "timeout": "1s"}}]
}`

func TestConfigRoundTrip(t *testing.T) {
	c, err := gateway.ParseConfig([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal([]byte(full), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("written again it is\n%s", data)
	}
}

func TestConfigErrorsNameTheField(t *testing.T) {
	service := func(s string) string {
		return `{"version":1,"services":[{"name":"s","releases":[{"name":"v1","weight":1}],` + s + `}]}`
	}
	route := func(s string) string {
		return `{"version":1,"services":[{"name":"s","releases":[]}],"routes":[{"service":"s",` + s + `}]}`
	}
	for _, k := range []struct{ given, want string }{
		{``, "configuration: it ends too early"},
		{`{"version":1`, "configuration: it ends too early"},
		{"{\n\n x", "configuration: line 3: invalid character 'x' looking for beginning of object key string"},
		{`{"version":"1"}`, "configuration: line 1: version: want int, got string"},
		{`{"version":1} {}`, "configuration: more than one JSON value, at byte 15"},
		{"{\"version\":1,\n\"rout\":[]}", `configuration: near line 2: unknown field "rout"`},
		{`{}`, "version: this gateway reads version 1, got 0"},
		{`{"version":1,"server":{"idleTimeout":5}}`, `a duration is a text with a unit, as "1.5s", not 5`},
		{`{"version":1,"server":{"idleTimeout":"5 minutes"}}`, `unknown unit " minutes" in duration "5 minutes"`},
		{`{"version":1,"server":{"maxHeaderBytes":5}}`, "server.maxHeaderBytes: 5 is below 1024"},
		{`{"version":1,"server":{"idleTimeout":"-1s"}}`, "server.idleTimeout: -1s is negative"},
		{`{"version":1,"listeners":[{"address":"x"}]}`, "listeners[0].name: is missing\nlisteners[0].address: \"x\" is not host:port"},
		{`{"version":1,"listeners":[{"name":"a","address":":99999"}]}`, `listeners[0].address: ":99999": "99999" is not a port`},
		{`{"version":1,"listeners":[{"name":"a","address":":0"},{"name":"a","address":":0","tls":{}}]}`, "listeners[1].name: \"a\" is given twice\nlisteners[1].tls: needs files or acme"},
		{`{"version":1,"listeners":[{"name":"a","address":":0","tls":{"acme":{"domains":["*.x"]}}}]}`, "listeners[0].tls.acme.cache: is missing: a folder that keeps certificates over restarts\nlisteners[0].tls.acme.domains[0]: \"*.x\" is not a host name"},
		{`{"version":1,"clients":{"trustedProxies":["10.0.0.0/8","x"],"header":"a b"}}`, "clients.trustedProxies[1]: \"x\" is neither a network (10.0.0.0/8) nor an address\nclients.header: \"a b\" is not a header's name"},
		{`{"version":1,"accessLog":{"sample":2}}`, "accessLog.sample: 2 is not between 0 and 1"},
		{`{"version":1,"routes":[{"service":"x"}]}`, `routes[0].service: there is no service "x"`},
		{route(`"path":"x"`), `routes[0].path: "x" does not begin with /`},
		{route(`"path":"/a/../b"`), `routes[0].path: "/a/../b" is not a plain prefix: no query, no pattern, no empty or dot segments`},
		{route(`"path":"/a*"`), `routes[0].path: "/a*" is not a plain prefix: no query, no pattern, no empty or dot segments`},
		{route(`"hosts":["a/b"]`), `routes[0].hosts[0]: "a/b" is not a host name`},
		{route(`"methods":["get"]`), `routes[0].methods[0]: "get" is not a method in capitals`},
		{route(`"limit":{"rate":0}`), `routes[0].limit.rate: 0 is not between 0 and 1e9 requests a second`},
		{route(`"maxBodyBytes":-2`), `routes[0].maxBodyBytes: -2 is below -1`},
		{service(`"state":"stopped"`), `services[0].state: "stopped" is none of ["active" "draining" "paused"]`},
		{service(`"protocol":"http3"`), `services[0].protocol: "http3" is none of ["http1" "h2c"]`},
		{service(`"sticky":{"cookie":"a","header":"b"}`), `services[0].sticky: needs either cookie or header`},
		{service(`"check":{"path":"x"}`), `services[0].check.path: "x" does not begin with /`},
		{service(`"retry":{"attempts":11,"budget":1.5}`), "services[0].retry.attempts: 11 is above 10\nservices[0].retry.budget: 1.5 is not between 0 and 1"},
		{service(`"mirror":{"percent":0,"release":"v9"}`), "services[0].mirror.percent: 0 is not above 0 and at most 100\nservices[0].mirror.release: service \"s\" has no release \"v9\""},
		{service(`"mirror":{"percent":1}`), "services[0].mirror: needs a service or a release other than the service itself"},
		{`{"version":1,"services":[{"name":"s","releases":[{"name":"v","weight":-1,"targets":[{"id":"a","address":":80"},{"id":"a","address":"h:0"}]}]}]}`,
			"services[0].releases[0].weight: -1 is not between 0 and 1000000\nservices[0].releases[0].targets[0].address: \":80\" has no host\n" +
				"services[0].releases[0].targets[1].id: \"a\" is given twice\nservices[0].releases[0].targets[1].address: \"h:0\": \"0\" is not a port"},
	} {
		_, err := gateway.ParseConfig([]byte(k.given))
		if err == nil || !strings.Contains(err.Error(), k.want) || greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%s\ngives %v\nwant  %s", k.given, err, k.want)
		}
	}
}

// FuzzParseConfig: nothing that is pushed may panic, and what is accepted can
// be applied, written and read again.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{"version":1,"routes":[{"service":"s"}],"services":[{"name":"s","releases":[{"name":"v","weight":1,"targets":[{"id":"a","address":"[::1]:80"}]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := gateway.ParseConfig(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.ParseConfig(again); err != nil {
			t.Fatalf("%s\nwas accepted, and written again is not: %v", again, err)
		}
		c.Listeners, c.AccessLog.Path = nil, "" // no sockets and files of a fuzzer's choice
		for i := range c.Services {
			c.Services[i].Check = nil
		}
		g, err := gateway.New(gateway.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Apply(c); err != nil {
			t.Fatalf("%s\nwas accepted and cannot be applied: %v", again, err)
		}
		_ = g.Status()
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
