package gateway_test

import (
	"net/http"
	"testing"

	"github.com/greenlight-dev/greenlight/gateway"
)

// routed gives a configuration in which each service's answer is its name.
func routed(t *testing.T, routes ...gateway.Route) *gateway.Config {
	c := &gateway.Config{Version: 1, Routes: routes}
	seen := map[string]bool{}
	for _, r := range routes {
		if !seen[r.Service] {
			seen[r.Service] = true
			b := newBackend(t, r.Service)
			b.handle(func(w http.ResponseWriter, req *http.Request) {
				_, _ = w.Write([]byte(r.Service + " " + req.URL.RequestURI()))
			})
			c.Services = append(c.Services, gateway.Service{Name: r.Service, Releases: []gateway.Release{release("v1", 1, b.address())}})
		}
	}
	return c
}

func TestRoutes(t *testing.T) {
	g := start(t, routed(t,
		gateway.Route{Service: "root"},
		gateway.Route{Service: "api", Path: "/api"},
		gateway.Route{Service: "api-v2", Path: "/api/v2/"},
		gateway.Route{Service: "writes", Path: "/api", Methods: []string{"POST", "PUT"}},
		gateway.Route{Service: "shop", Hosts: []string{"shop.example"}},
		gateway.Route{Service: "any-shop", Hosts: []string{"*.shop.example"}},
		gateway.Route{Service: "eu-shop", Hosts: []string{"*.EU.shop.example"}, Path: "/"},
		gateway.Route{Service: "stripped", Path: "/strip/me", StripPrefix: true},
		gateway.Route{Service: "read-only", Hosts: []string{"ro.example"}, Path: "/x", Methods: []string{"GET", "HEAD"}},
		gateway.Route{Service: "ipv6", Hosts: []string{"[::1]"}},
	))
	c := httpClient(t)
	for _, k := range []struct {
		method, host, path string
		status             int
		body               string
	}{
		{"GET", "", "/", 200, "root /"},
		{"GET", "", "/apix", 200, "root /apix"},
		{"GET", "", "/api", 200, "api /api"},
		{"GET", "", "/api/", 200, "api /api/"},
		{"GET", "", "/api/v1?q=1", 200, "api /api/v1?q=1"},
		{"GET", "", "/api/v2", 200, "api-v2 /api/v2"},
		{"POST", "", "/api/v2/x", 200, "api-v2 /api/v2/x"}, // the longer path counts before the method
		{"POST", "", "/api/v1", 200, "writes /api/v1"},
		{"GET", "", "//api//x", 200, "api //api//x"},
		{"GET", "", "/api%2Fx", 200, "api /api%2Fx"},
		{"GET", "", "/strip/me", 200, "stripped /"},
		{"GET", "", "/strip/me/a%2Fb?c", 200, "stripped /a%2Fb?c"},
		{"GET", "shop.example", "/api", 200, "shop /api"}, // an exact host counts before the path
		{"GET", "SHOP.example.:8080", "/", 200, "shop /"},
		{"GET", "a.shop.example", "/", 200, "any-shop /"},
		{"GET", "a.b.shop.example", "/", 200, "any-shop /"},
		{"GET", "a.eu.shop.example", "/", 200, "eu-shop /"},
		{"GET", "xshop.example", "/", 200, "root /"},
		{"GET", "ro.example", "/x/y", 200, "read-only /x/y"},
		{"GET", "ro.example", "/other", 200, "root /other"},
		{"GET", "[::1]:80", "/", 200, "ipv6 /"},
		{"GET", "[::1]", "/", 200, "ipv6 /"},
		{"GET", "", "/a/%2e%2e/api", 400, ""},
		{"GET", "", "/./api", 400, ""},
	} {
		req := request(t, k.method, g.url+k.path, "")
		if k.host != "" {
			req.Host = k.host
		}
		got := do(t, c, req)
		if got.status != k.status || k.body != "" && got.body != k.body {
			t.Errorf("%s %s%s: %d %q, want %d %q", k.method, k.host, k.path, got.status, got.body, k.status, k.body)
		}
	}
}

func TestNoRoute(t *testing.T) {
	g := start(t, routed(t,
		gateway.Route{Service: "a", Hosts: []string{"a.example"}, Path: "/x", Methods: []string{"GET", "PUT"}},
	))
	c := httpClient(t)
	wantStatus(t, get(t, c, g.url+"/x"), http.StatusNotFound)
	wantStatus(t, get(t, c, g.url+"/y", "Host: a.example"), http.StatusNotFound)
	got := do(t, c, request(t, "DELETE", g.url+"/x", "", "Host: a.example"))
	wantStatus(t, got, http.StatusMethodNotAllowed)
	if allow := got.header.Get("Allow"); allow != "GET, PUT" {
		t.Errorf("Allow: %q", allow)
	}
	if id := got.header.Get("X-Request-Id"); id == "" {
		t.Error("an answer of the gateway itself has no X-Request-Id")
	}
}
