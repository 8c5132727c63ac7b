package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// caller is who sent a request and what that allows.
type caller struct {
	actor func() string
	role  store.Role
}

type callerKey struct{}

// actorOf is who sent the request of a context, for events.
func actorOf(ctx context.Context) string {
	c, ok := ctx.Value(callerKey{}).(caller)
	if !ok || c.actor == nil {
		return "local"
	}
	return c.actor()
}

// access decides who may come in.
type access struct {
	tokens   store.Tokens
	public   bool
	attempts *attempts
	log      *slog.Logger
}

// The answers to those who may not come in say nothing about what is inside.
var (
	errNoToken = newFailure(http.StatusUnauthorized, greenlight.CodeRefused,
		"this needs a token: send it as Authorization: Bearer glt_…; greenlight token create makes one")
	errOtherUser = newFailure(http.StatusUnauthorized, greenlight.CodeRefused,
		"this control plane is another user's: you need a token of theirs; send it as Authorization: Bearer glt_…")
	errWrongToken = newFailure(http.StatusUnauthorized, greenlight.CodeRefused,
		"the token is not valid here: it was mistyped, revoked, or made by another control plane")
	errTooMany = newFailure(http.StatusTooManyRequests, greenlight.CodeUnavailable,
		"too many wrong tokens came from this address; wait a minute")
	errNoStore = newFailure(http.StatusServiceUnavailable, greenlight.CodeUnavailable,
		"tokens cannot be checked now; try again")
)

// guard lets through to next who has the role.
func (a *access) guard(role store.Role, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if role == anyone {
			next.ServeHTTP(w, r)
			return
		}
		c, f := a.caller(r)
		if f == nil && !c.role.Allows(role) {
			f = newFailure(http.StatusForbidden, greenlight.CodeRefused,
				"this needs a token of role "+string(role)+"; yours has role "+string(c.role))
		}
		if f != nil {
			refuse(w, r, f)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// receive is guard for the console, which asks for a token itself: who lacks
// one gets to it, and MayRead tells it so.
func (a *access) receive(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, f := a.caller(r)
		switch {
		case f == nil && c.role.Allows(store.RoleViewer):
			r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
		case f != nil && f.status != http.StatusUnauthorized:
			refuse(w, r, f)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// MayRead tells whether a request for the console came from somebody who may
// see what the pages show.
func MayRead(r *http.Request) bool {
	_, known := r.Context().Value(callerKey{}).(caller)
	return known
}

// refuse answers those who may not come in. The Basic challenge lets a
// browser ask for the token as a password; a page that asks on purpose has a
// form of its own.
func refuse(w http.ResponseWriter, r *http.Request, f *failure) {
	switch f.status {
	case http.StatusUnauthorized:
		w.Header().Add("WWW-Authenticate", `Bearer realm="greenlight"`)
		if r.Header.Get(headerGreenlight) == "" {
			w.Header().Add("WWW-Authenticate", `Basic realm="greenlight: any name, a token as password", charset="UTF-8"`)
		}
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "60")
	}
	fail(w, f)
}

// caller tells who sends a request: by the socket it came through, by its
// token, or by being the same user on this machine.
func (a *access) caller(r *http.Request) (caller, *failure) {
	connection := connectionOf(r)
	if connection.socket {
		return caller{actor: connection.actor, role: store.RoleAdmin}, nil
	}
	local := !a.public && onLoopback(r)
	if local && !loopbackName(r.Host) {
		return caller{}, errForeignHost
	}
	secret, ambient := tokenOf(r)
	if secret == "" && !local {
		return caller{}, errNoToken
	}
	if ambient {
		if f := onPurpose(r); f != nil {
			return caller{}, f
		}
	}
	if secret != "" {
		return a.authenticate(r, secret)
	}
	if connection.stranger() {
		return caller{}, errOtherUser
	}
	return caller{actor: connection.actor, role: store.RoleAdmin}, nil
}

// tokenOf is the token that a request carries, and whether it came without
// the page's doing: browsers send a password along by themselves, and nothing
// at all to loopback.
func tokenOf(r *http.Request) (secret string, ambient bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		if secret = strings.TrimSpace(rest); secret != "" {
			return secret, false
		}
	}
	return "", true
}

func (a *access) authenticate(r *http.Request, secret string) (caller, *failure) {
	from := remote(r)
	if a.attempts.blocked(from) {
		return caller{}, errTooMany
	}
	t, err := store.Authenticate(r.Context(), a.tokens, secret, time.Now())
	switch {
	case err == nil:
		return caller{actor: func() string { return "token:" + t.Name }, role: t.Role}, nil
	case greenlight.CodeOf(err) == greenlight.CodeRefused:
		a.attempts.fail(from)
		a.log.Warn("wrong token", "remote", from)
		return caller{}, errWrongToken
	default:
		a.log.Error("tokens cannot be read", "err", err)
		return caller{}, errNoStore
	}
}
