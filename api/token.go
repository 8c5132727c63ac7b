package api

import (
	"context"
	"net/http"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// TokenRequest asks for a new token.
type TokenRequest struct {
	Name string     `json:"name" minLength:"1" maxLength:"512" doc:"who or what will use it" example:"ci"`
	Role store.Role `json:"role" enum:"viewer,operator,admin" doc:"what it allows"`
}

// CreatedToken is a new token with the secret that opens it, which is shown
// this once and kept nowhere.
type CreatedToken struct {
	store.Token
	Secret string `json:"secret" doc:"shown this once and kept nowhere" example:"glt_Q3X7K2M5_…"`
}

type (
	requestingToken struct{ Body TokenRequest }
	ofToken         struct {
		ID string `path:"id" maxLength:"512" doc:"the part of the secret between the underscores" example:"Q3X7K2M5"`
	}
)

func (s *server) registerTokens() {
	add(s, "list-tokens", func(ctx context.Context, _ *none) ([]store.Token, error) { return s.Tokens.ListTokens(ctx) })
	add(s, "create-token", s.createToken)
	begin(s, "revoke-token", http.StatusNoContent, s.revokeToken)
}

func (s *server) createToken(ctx context.Context, in *requestingToken) (CreatedToken, error) {
	secret, t := store.NewToken(in.Body.Name, in.Body.Role)
	t, err := s.Tokens.SaveToken(ctx, t, greenlight.Event{
		Actor: actorOf(ctx), Kind: "token.created", Subject: t.ID,
		Message: "token " + t.Name + " with role " + string(t.Role),
	})
	if err != nil {
		return CreatedToken{}, err
	}
	return CreatedToken{Token: t, Secret: secret}, nil
}

func (s *server) revokeToken(ctx context.Context, in *ofToken) error {
	t, err := s.Tokens.Token(ctx, in.ID)
	if err != nil {
		return err
	}
	return s.Tokens.RevokeToken(ctx, t.ID, greenlight.Event{
		Actor: actorOf(ctx), Kind: "token.revoked", Subject: t.ID,
		Message: "token " + t.Name + " is worth nothing any more",
	})
}
