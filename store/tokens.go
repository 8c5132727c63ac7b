package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Tokens keeps who may use the control API. Secrets are never kept, only
// their salted hashes.
type Tokens interface {
	// SaveToken keeps a new token, CreatedAt being the time of e. An id that
	// exists is ErrConflict.
	SaveToken(ctx context.Context, t Token, e greenlight.Event) (Token, error)

	// Token finds a token by its id, revoked or not.
	Token(ctx context.Context, id string) (Token, error)

	// ListTokens lists all tokens, oldest first, the revoked ones too.
	ListTokens(ctx context.Context) ([]Token, error)

	// TouchToken writes when a token was last used; an earlier time than the
	// one that is kept changes nothing. It is no change of state and writes
	// no event.
	TouchToken(ctx context.Context, id string, at time.Time) error

	// RevokeToken makes a token worthless from the time of e on. Revoking it
	// again changes nothing and writes no event.
	RevokeToken(ctx context.Context, id string, e greenlight.Event) error
}

// Role is what a token allows.
type Role string

// The roles; each allows what the one before does, and more.
const (
	RoleViewer   Role = "viewer"   // read
	RoleOperator Role = "operator" // change what runs: apply, scale, restart
	RoleAdmin    Role = "admin"    // tokens, backup, down
)

// Allows says whether r is enough where need is asked for. A role that does
// not exist allows nothing, and nothing is allowed where it is needed.
func (r Role) Allows(need Role) bool {
	return r.rank() > 0 && need.rank() > 0 && r.rank() >= need.rank()
}

func (r Role) rank() int {
	switch r {
	case RoleViewer:
		return 1
	case RoleOperator:
		return 2
	case RoleAdmin:
		return 3
	}
	return 0
}

// Token is a key to the control API. Its secret is shown once, to whoever
// had it made.
type Token struct {
	ID         string    `json:"id"` // public; the first part of the secret
	Name       string    `json:"name"`
	Role       Role      `json:"role"`
	Salt       []byte    `json:"-"`
	Hash       []byte    `json:"-"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"` // to about a minute
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// tokenPrefix lets people and secret scanners recognise a token.
const tokenPrefix = "glt"

// NewToken makes a token and the secret that opens it, "glt_<id>_<key>". The
// key has 130 bits of randomness, so one round of SHA-256 keeps it as safe as
// a slow hash would, and every request can afford it.
func NewToken(name string, role Role) (secret string, t Token) {
	id, key, salt := rand.Text()[:8], rand.Text(), rand.Text()
	t = Token{ID: id, Name: name, Role: role, Salt: []byte(salt)}
	t.Hash = hashKey(t.Salt, key)
	return strings.Join([]string{tokenPrefix, id, key}, "_"), t
}

func hashKey(salt []byte, key string) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte(key))
	return h.Sum(nil)
}

// touchEvery bounds how often the use of a token is written.
const touchEvery = time.Minute

// Authenticate finds the token that a secret opens. Whatever is wrong with
// the secret, the error is the same and of code greenlight.CodeRefused.
func Authenticate(ctx context.Context, tokens Tokens, secret string, now time.Time) (Token, error) {
	refused := greenlight.Errorf(greenlight.CodeRefused, "the token is not valid here: it was mistyped, revoked, or made by another control plane")
	parts := strings.Split(secret, "_")
	if len(secret) > MaxName || len(parts) != 3 || parts[0] != tokenPrefix {
		return Token{}, refused
	}
	t, err := tokens.Token(ctx, parts[1])
	if greenlight.CodeOf(err) == greenlight.CodeNotFound {
		return Token{}, refused
	}
	if err != nil {
		return Token{}, err
	}
	if subtle.ConstantTimeCompare(t.Hash, hashKey(t.Salt, parts[2])) != 1 || !t.RevokedAt.IsZero() {
		return Token{}, refused
	}
	// Whoever may come in must get in when the disk is full, so as to see it:
	// a use that could not be written is not worth a refusal.
	if now.Sub(t.LastUsedAt) >= touchEvery && tokens.TouchToken(ctx, t.ID, now) == nil {
		t.LastUsedAt = now
	}
	return t, nil
}

// CheckToken says what is wrong with a token that is to be saved.
func CheckToken(t *Token) error {
	c := check{what: "token " + t.Name}
	c.required("id", t.ID)
	c.required("name", t.Name)
	if t.Role.rank() == 0 {
		c.failf("role %q is none of %s, %s, %s", t.Role, RoleViewer, RoleOperator, RoleAdmin)
	}
	if len(t.Salt) < 16 || len(t.Hash) != sha256.Size {
		c.failf("salt or hash is missing: make tokens with NewToken")
	}
	return c.err
}
