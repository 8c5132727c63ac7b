package modelserver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// route is one endpoint: a method, a path pattern of net/http, a handler.
type route struct {
	method, path string
	handle       http.HandlerFunc
}

func (s *Server) routes() []route {
	routes := []route{
		{"GET", "/{$}", s.index},
		{"GET", "/healthz", s.health},
		{"GET", "/metrics", s.metrics.handler().ServeHTTP},
		{"POST", "/predict", s.predict},
		{"POST", "/models/{model}/predict", s.predict},
	}
	return append(routes, s.routesV2()...)
}

// Handler routes all endpoints. Every failure answers {"error": "…"}.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.HandleFunc(r.method+" "+r.path, r.handle)
		mux.HandleFunc(r.path, otherMethod(r.method))
	}
	mux.HandleFunc("/", s.unknown)
	h := s.whileStopping(s.recovering(mux))
	if s.options.Token != "" {
		h = s.authenticating(h)
	}
	return h
}

// otherMethod answers what is asked in another way than by method.
func otherMethod(method string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", method)
		writeJSON(w, http.StatusMethodNotAllowed, errorBody{Error: fmt.Sprintf("%s takes %s, not %s", r.URL.Path, method, r.Method)})
	}
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusNotFound, errorBody{Error: fmt.Sprintf("nothing answers %s; GET / lists the models", clip(r.URL.Path))})
}

// whileStopping tells clients to close their connections once the server is
// stopping.
func (s *Server) whileStopping(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// recovering answers 500 where a fault of Greenlight itself would otherwise
// only cut the connection, and logs it.
func (s *Server) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
			s.options.Log.Error("request failed", "path", r.URL.Path, "panic", fault, "stack", string(debug.Stack()))
			writeJSON(w, http.StatusInternalServerError, errorBody{Error: "a fault of the server; its log says more"})
		}()
		next.ServeHTTP(w, r)
	})
}

// authenticating asks for the bearer token, of everything but health checks.
func (s *Server) authenticating(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + s.options.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if !isHealth(r.URL.Path) && subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeJSON(w, http.StatusUnauthorized, errorBody{Error: "this server wants the header Authorization: Bearer TOKEN"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isHealth(path string) bool {
	return path == "/healthz" || path == "/v2/health/live" || path == "/v2/health/ready"
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	status := "ok"
	if s.stopping.Load() {
		status = "stopping"
	}
	writeJSON(w, s.readyStatus(), map[string]string{"status": status})
}

// readyStatus is 503 once the server is stopping.
func (s *Server) readyStatus() int {
	if s.stopping.Load() {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		Name    string `json:"name"`
		Predict string `json:"predict,omitempty"`
		Infer   string `json:"infer"`
	}
	models := make([]entry, len(s.order))
	for i, m := range s.order {
		models[i] = entry{Name: m.Name, Infer: "/v2/models/" + m.Name + "/infer"}
		if m.SchemaErr == nil {
			models[i].Predict = "/models/" + m.Name + "/predict"
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"name": "greenlight", "version": s.options.Version, "models": models})
}

// model finds the model that a request's path names; without a name it is
// the only one.
func (s *Server) model(r *http.Request) (*served, error) {
	name := r.PathValue("model")
	if name == "" && len(s.order) == 1 {
		return s.order[0], nil
	}
	if m := s.models[name]; m != nil {
		return m, nil
	}
	var names []string
	for _, m := range s.order {
		names = append(names, m.Name)
	}
	list := strings.Join(names, ", ")
	if name == "" {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "%d models are served (%s); post to /models/{name}/predict", len(names), list)
	}
	return nil, greenlight.Errorf(greenlight.CodeNotFound, "no model %q; served: %s", clip(name), list)
}

var contentTypeJSON = []string{"application/json"}

// writeBody answers JSON that is already encoded.
func writeBody(w http.ResponseWriter, code int, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentTypeJSON
	if len(body) > 2048 { // net/http counts shorter ones itself
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client is gone when this fails; nobody is left to tell
}

// writeJSON answers a value that is encoded here; not for the hot path.
func writeJSON(w http.ResponseWriter, code int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`{"error":"the answer could not be encoded"}`)
	}
	writeBody(w, code, append(body, '\n'))
}
