package measure_test

import (
	"slices"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/measure"
	"github.com/greenlight-dev/greenlight/spec"
)

const shop = `name: shop
gateway:
  listen: [{address: "127.0.0.1:9090"}]
services:
  web:
    run: ["bin/web", "--port=${PORT}"]
    env: &env {A: "${A:-1}", B: "yes", C: "0123"}
    depends_on: [api]
    routes: [{path: /}]
  api:
    run: bin/api
    env: *env
    replicas: {min: 2, max: 9, target: {concurrency: 8}}
    resources: {cpu: 2, memory: 512Mi}
    routes: [{path: /api, limits: {requests: 10/s}}]
    depends_on: [db]
  db: {run: bin/db}
environments:
  dev: {}
  production:
    owner: shop@example.com
    backend: kubernetes
    services:
      api: {replicas: {min: 4, max: 20}, env: {B: "no"}, ready: /ok}
`

func resolve(t *testing.T, text, environment string) *spec.System {
	t.Helper()
	file, err := spec.Parse("greenlight.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	system, err := file.Resolve(environment, spec.ResolveOptions{Lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return system
}

// What is measured is the service as the environment has it, but for what would
// limit it from outside.
func TestIsolate(t *testing.T) {
	text, err := measure.Isolate([]byte(shop), resolve(t, shop, "production"), measure.Isolated{
		Environment: "production", Service: "api", Cores: 0.15, Nothing: []string{"/bin/greenlight", "capacity", "nothing"},
	})
	if err != nil {
		t.Fatal(err)
	}
	system := resolve(t, text, "production")
	var names []string
	for _, s := range system.Services {
		names = append(names, s.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"api", "db", measure.GatewayStage}) {
		t.Errorf("it has the services %v", names)
	}
	api := system.Services[slices.IndexFunc(system.Services, func(s spec.Service) bool { return s.Name == "api" })]
	switch {
	case api.Replicas.Min != 1 || api.Replicas.Max != 1:
		t.Errorf("replicas %+v", api.Replicas)
	case api.Resources.CPU != 150 || api.Resources.Memory != 512<<20:
		t.Errorf("resources %+v", api.Resources)
	case len(api.Routes) != 1 || api.Routes[0].Path != "/" || api.Routes[0].Strip:
		t.Errorf("routes %+v", api.Routes)
	case api.Env["A"] != "1" || api.Env["B"] != "no" || api.Env["C"] != "0123":
		t.Errorf("env %v", api.Env)
	case !api.Live.Off || api.Ready.Path != "/ok":
		t.Errorf("live %+v, ready %+v", api.Live, api.Ready)
	case system.Environment.Backend != "process" || len(system.Gateway.Listen) != 0:
		t.Errorf("environment %+v, gateway %+v", system.Environment, system.Gateway)
	}
	if strings.Contains(text, "shop@example.com") {
		t.Error("a temporary system has an owner")
	}
}

func TestIsolateUnknown(t *testing.T) {
	_, err := measure.Isolate([]byte(shop), resolve(t, shop, "dev"), measure.Isolated{Environment: "dev", Service: "nobody", Cores: 0.1})
	if greenlight.CodeOf(err) != greenlight.CodeNotFound {
		t.Errorf("Isolate = %v", err)
	}
}
