package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/store"
)

func public(o *api.Options) { o.Public = true }

// TestRoles asks for everything with every role, over an address that other
// machines can reach.
func TestRoles(t *testing.T) {
	f := full(t, public)
	headers := map[store.Role][]string{"": nil}
	for _, role := range []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin} {
		headers[role] = []string{"Authorization", "Bearer " + f.token(t, role)}
	}
	document := openDocument(t, f)
	for _, r := range requests {
		for role, header := range headers {
			t.Run(fmt.Sprintf("%s as %q", r.id, role), func(t *testing.T) {
				before := len(f.plane.Calls())
				got := r.send(t, f.Address, header...)
				document.check(t, r.id, got)
				want := r.status
				switch {
				case r.role == "":
				case role == "":
					want = http.StatusUnauthorized
				case !role.Allows(r.role):
					want = http.StatusForbidden
				}
				if got.status != want {
					t.Errorf("answered %d, want %d\n%s", got.status, want, got.body)
				}
				calls := f.plane.Calls()[before:]
				if want != r.status && len(calls) > 0 {
					t.Errorf("was refused, but the plane was asked %q", calls)
				}
				for _, call := range calls {
					if strings.Contains(call, " by ") && !strings.HasSuffix(call, " by token:for-"+string(role)) {
						t.Errorf("the plane was asked %q, want the token's name as actor", call)
					}
				}
			})
		}
	}
}

// TestTokens sends tokens in every way, to both kinds of address.
func TestTokens(t *testing.T) {
	for name, tt := range map[string]struct {
		public        bool
		authorization string // VIEWER stands for a viewer's token
		status        int
	}{
		"none":                      {true, "", 401},
		"empty":                     {true, "Bearer ", 401},
		"bearer":                    {true, "Bearer VIEWER", 200},
		"bearer in capitals":        {true, "BEARER VIEWER", 200},
		"another scheme":            {true, "Digest VIEWER", 401},
		"wrong":                     {true, "Bearer glt_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbb", 401},
		"right id, wrong key":       {true, "Bearer VIEWERx", 401},
		"not a token":               {true, "Bearer x", 401},
		"password":                  {true, "Basic VIEWER", 200},
		"on loopback, none":         {false, "", 200},
		"on loopback, right":        {false, "Bearer VIEWER", 200},
		"on loopback, wrong":        {false, "Bearer glt_aaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbb", 401},
		"on loopback, wrong by far": {false, "Basic x", 401},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(o *api.Options) { o.Public = tt.public })
			header := strings.ReplaceAll(tt.authorization, "VIEWER", f.token(t, store.RoleViewer))
			if password, ok := strings.CutPrefix(header, "Basic "); ok {
				r := &http.Request{Header: make(http.Header)}
				r.SetBasicAuth("ada", password)
				header = r.Header.Get("Authorization")
			}
			got := ask(t, f.Address, "GET", "/api/v1/status", "", "Authorization", header)
			if got.status != tt.status {
				t.Errorf("answered %d, want %d\n%s", got.status, tt.status, got.body)
			}
			if challenge := got.header.Values("WWW-Authenticate"); (got.status == 401) != (len(challenge) == 2) {
				t.Errorf("answered %d with the challenge %q", got.status, challenge)
			}
		})
	}
}

// TestTokenOnLoopbackLimits: who shows a token wants to be who it is for.
func TestTokenOnLoopbackLimits(t *testing.T) {
	f := start(t)
	got := ask(t, f.Address, "POST", "/api/v1/down", "", "X-Greenlight", "1", "Authorization", "Bearer "+f.token(t, store.RoleViewer))
	if got.status != 403 || !strings.Contains(got.body, "this needs a token of role admin; yours has role viewer") {
		t.Errorf("answered %d %s", got.status, got.body)
	}
}

// TestWrongTokensAreLimited also holds that no token stands in the log.
func TestWrongTokensAreLimited(t *testing.T) {
	f := start(t, public)
	right := f.token(t, store.RoleViewer)
	try := func(secret string) answered {
		return ask(t, f.Address, "GET", "/api/v1/status", "", "Authorization", "Bearer "+secret)
	}
	wrong := right[:len(right)-1] + "!"
	for range 20 {
		if got := try(right); got.status != 200 {
			t.Fatalf("the right token is answered %d", got.status)
		}
		if got := try(wrong); got.status != 401 {
			t.Fatalf("a wrong token is answered %d", got.status)
		}
	}
	got := try(right)
	if got.status != 429 || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, `"code":"unavailable"`) {
		t.Errorf("after 20 wrong tokens: %d %v %s", got.status, got.header, got.body)
	}
	if got := ask(t, f.Socket, "GET", "/api/v1/status", ""); got.status != 200 {
		t.Errorf("the socket is answered %d meanwhile", got.status)
	}
	log := f.log.String()
	if !strings.Contains(log, "wrong token") {
		t.Error("the log does not tell of wrong tokens")
	}
	key := strings.Split(right, "_")[2]
	for _, never := range []string{key, key[:len(key)-1], "Bearer"} {
		if strings.Contains(log, never) {
			t.Errorf("the log has %q:\n%s", never, log)
		}
	}
}

// TestForeignPages sends what a browser would send for web pages of others.
func TestForeignPages(t *testing.T) {
	f := full(t)
	own := strings.TrimPrefix(f.Address, "http://")
	port := own[strings.LastIndex(own, ":"):]
	for name, tt := range map[string]struct {
		method string
		header []string
		status int
	}{
		"curl reads":                       {"GET", nil, 200},
		"localhost":                        {"GET", []string{"Host", "localhost" + port}, 200},
		"capitals":                         {"GET", []string{"Host", "LocalHost" + port}, 200},
		"IPv6":                             {"GET", []string{"Host", "[::1]" + port}, 200},
		"without a port":                   {"GET", []string{"Host", "127.0.0.1"}, 200},
		"rebinding, read":                  {"GET", []string{"Host", "evil.example" + port}, 403},
		"rebinding, same origin":           {"POST", []string{"Host", "evil.example" + port, "Origin", "http://evil.example" + port, "Sec-Fetch-Site", "same-origin", "X-Greenlight", "1"}, 403},
		"rebinding to a look-alike":        {"GET", []string{"Host", "127.0.0.1.evil.example"}, 403},
		"rebinding to another look-alike":  {"GET", []string{"Host", "localhost.evil.example"}, 403},
		"an address of the network":        {"GET", []string{"Host", "192.168.1.2"}, 403},
		"the console":                      {"POST", []string{"Origin", "http://" + own, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"}, 200},
		"the console as localhost":         {"POST", []string{"Host", "localhost" + port, "Origin", "http://localhost" + port, "Content-Type", "application/json"}, 200},
		"curl with JSON":                   {"POST", []string{"Content-Type", "application/json; charset=utf-8"}, 200},
		"curl with the header":             {"POST", []string{"X-Greenlight", "1"}, 200},
		"curl as a form":                   {"POST", []string{"Content-Type", "application/x-www-form-urlencoded"}, 403},
		"a form of another page":           {"POST", []string{"Origin", "https://evil.example", "Content-Type", "text/plain"}, 403},
		"fetch of another page":            {"POST", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"}, 403},
		"fetch of another page, no origin": {"POST", []string{"Sec-Fetch-Site", "cross-site", "X-Greenlight", "1"}, 403},
		"fetch of another port":            {"POST", []string{"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site", "Content-Type", "application/json"}, 403},
		"fetch of an old browser":          {"POST", []string{"Origin", "http://127.0.0.1:1", "Content-Type", "application/json"}, 403},
		"a file or a sandbox":              {"POST", []string{"Origin", "null", "Content-Type", "application/json"}, 403},
		"an image of another page":         {"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 403},
		"a frame of another page":          {"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		"a link on another page":           {"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		"typed in":                         {"GET", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		"a form that opens":                {"POST", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "X-Greenlight", "1"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(f.plane.Calls())
			path, body := "/api/v1/status", ""
			if tt.method == "POST" {
				path, body = iris+"/try", `{"method":"GET","path":"/"}`
			}
			got := ask(t, f.Address, tt.method, path, body, tt.header...)
			if got.status != tt.status {
				t.Errorf("answered %d, want %d\n%s", got.status, tt.status, got.body)
			}
			if asked := len(f.plane.Calls()) > before; asked != (tt.status == 200) {
				t.Errorf("answered %d, but the plane was asked: %v", got.status, asked)
			}
			if cors := got.header.Get("Access-Control-Allow-Origin"); cors != "" {
				t.Errorf("another page is allowed to read: %s", cors)
			}
		})
	}
}

// TestPasswordIsNoConsent: a browser sends a password along by itself.
func TestPasswordIsNoConsent(t *testing.T) {
	f := start(t, public)
	r := &http.Request{Header: make(http.Header)}
	r.SetBasicAuth("ada", f.token(t, store.RoleAdmin))
	header := []string{"Authorization", r.Header.Get("Authorization"), "X-Greenlight", "1"}
	if got := ask(t, f.Address, "POST", "/api/v1/down", "", append(header, "Sec-Fetch-Site", "cross-site")...); got.status != 403 {
		t.Errorf("another page is answered %d", got.status)
	}
	if got := ask(t, f.Address, "POST", "/api/v1/down", "", append(header, "Sec-Fetch-Site", "same-origin")...); got.status != 202 {
		t.Errorf("the console is answered %d", got.status)
	}
}

// TestConsoleIsGuarded: the console, which signs people in itself, is told
// who they are; pages of other origins do not even get to it.
func TestConsoleIsGuarded(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !api.MayRead(r) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte("sign in"))
			return
		}
		_, _ = w.Write([]byte("<h1>shop</h1>"))
	})
	console := func(o *api.Options) { o.Console = page }
	f := start(t, console)
	if got := ask(t, f.Address, "GET", "/services/iris", ""); got.status != 200 || got.body != "<h1>shop</h1>" {
		t.Errorf("on loopback: %d %s", got.status, got.body)
	}
	if got := ask(t, f.Address, "GET", "/", "", "Host", "evil.example"); got.status != 403 || strings.Contains(got.body, "shop") {
		t.Errorf("by rebinding: %d %s", got.status, got.body)
	}
	f = start(t, console, public)
	for _, token := range []string{"", "Bearer glt_wrong_wrong"} {
		if got := ask(t, f.Address, "GET", "/", "", "Authorization", token); got.status != 401 || got.body != "sign in" {
			t.Errorf("in public, with %q: %d %s", token, got.status, got.body)
		}
	}
	if got := ask(t, f.Address, "GET", "/", "", "Authorization", "Bearer "+f.token(t, store.RoleViewer)); got.status != 200 {
		t.Errorf("in public, with a token: %d %s", got.status, got.body)
	}
}
