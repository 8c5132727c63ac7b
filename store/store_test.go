package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

func TestRoles(t *testing.T) {
	order := []store.Role{store.RoleViewer, store.RoleOperator, store.RoleAdmin}
	for i, have := range order {
		for j, need := range order {
			if got := have.Allows(need); got != (i >= j) {
				t.Errorf("%s allows %s: %v", have, need, got)
			}
		}
		for _, unknown := range []store.Role{"", "root"} {
			if unknown.Allows(have) || have.Allows(unknown) || unknown.Allows(unknown) {
				t.Errorf("the role %q counts for something beside %s", unknown, have)
			}
		}
	}
}

func TestRows(t *testing.T) {
	for limit, want := range map[int]int{-1: store.DefaultRows, 0: store.DefaultRows, 1: 1, store.MaxRows + 1: store.MaxRows} {
		if got := store.Rows(limit); got != want {
			t.Errorf("limit %d gives %d rows, want %d", limit, got, want)
		}
	}
}

func TestConflict(t *testing.T) {
	err := store.Conflict("setting %s", "k")
	if !errors.Is(err, store.ErrConflict) || greenlight.CodeOf(err) != greenlight.CodeRefused || !strings.Contains(err.Error(), "setting k") {
		t.Errorf("got %v", err)
	}
}

// one is a store of one token.
type one struct {
	store.Tokens
	token   store.Token
	touched int
	broken  error
}

func (o *one) Token(_ context.Context, id string) (store.Token, error) {
	if o.broken != nil {
		return store.Token{}, o.broken
	}
	if id != o.token.ID {
		return store.Token{}, greenlight.Errorf(greenlight.CodeNotFound, "none")
	}
	return o.token, nil
}

func (o *one) TouchToken(_ context.Context, _ string, at time.Time) error {
	o.touched++
	o.token.LastUsedAt = at
	return nil
}

func TestSecretsAreNotKept(t *testing.T) {
	secret, token := store.NewToken("ci", store.RoleViewer)
	key := secret[strings.LastIndex(secret, "_")+1:]
	if len(key) < 26 || bytes.Contains(append(token.Hash, token.Salt...), []byte(key)) {
		t.Errorf("the key %s is short or kept", key)
	}
	raw, err := json.Marshal(token)
	if err != nil || bytes.Contains(bytes.ToLower(raw), []byte("hash")) || bytes.Contains(bytes.ToLower(raw), []byte("salt")) {
		t.Errorf("as JSON the token is %s (%v)", raw, err)
	}
	_, other := store.NewToken("ci", store.RoleViewer)
	if other.ID == token.ID || bytes.Equal(other.Salt, token.Salt) {
		t.Error("two tokens are alike")
	}
}

func TestAuthenticate(t *testing.T) {
	secret, token := store.NewToken("ci", store.RoleAdmin)
	otherSecret, _ := store.NewToken("ci", store.RoleAdmin)
	tokens := &one{token: token}
	now := time.Now()
	id, otherKey := strings.Split(secret, "_")[1], strings.Split(otherSecret, "_")[2]
	for _, wrong := range []string{"", "_", "__", "glt_" + id, "glt_" + id + "_", otherSecret, "glt_" + id + "_" + otherKey,
		"xyz" + secret[3:], secret + "x", secret + "_", strings.ToLower(secret), strings.Repeat(secret, 1000)} {
		if _, err := store.Authenticate(t.Context(), tokens, wrong, now); greenlight.CodeOf(err) != greenlight.CodeRefused {
			t.Errorf("%.80q: %v", wrong, err)
		}
	}
	if tokens.touched != 0 {
		t.Error("a refusal counts as a use")
	}
	for _, later := range []time.Duration{0, time.Second, 59 * time.Second, 61 * time.Second} {
		if got, err := store.Authenticate(t.Context(), tokens, secret, now.Add(later)); err != nil || got.ID != token.ID {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	if tokens.touched != 2 {
		t.Errorf("the use was written %d times, want once a minute", tokens.touched)
	}
	tokens.broken = greenlight.Errorf(greenlight.CodeUnavailable, "closed")
	if _, err := store.Authenticate(t.Context(), tokens, secret, now); greenlight.CodeOf(err) != greenlight.CodeUnavailable {
		t.Errorf("a broken store gives %v", err)
	}
}
