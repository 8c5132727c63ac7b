package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/store"
)

func newToken(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke keys to the control plane",
		Long: `Make, list and revoke the tokens that other machines need to use the control plane
(greenlight up --public-control). A viewer reads; an operator applies, scales and
restarts; an admin does everything.
` + exitCodesHelp,
		Example: `  greenlight token create ci --role operator > ci.token
  greenlight token list
  greenlight token revoke q3x7k2m9`,
		Args: knownSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenCreate(env), newTokenList(env), newTokenRevoke(env))
	return cmd
}

func newTokenCreate(env Env) *cobra.Command {
	var o connectOptions
	var role string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token and print its secret, this once",
		Long: `Make a token for NAME, which is who or what will use it, and print its secret. It is
shown this once and kept nowhere.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight token create ci --role operator > ci.token`,
		Args:    takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if store.Role(role) != store.RoleViewer && store.Role(role) != store.RoleOperator && store.Role(role) != store.RoleAdmin {
				return &usageError{fmt.Errorf("--role %q: want viewer, operator or admin", role)}
			}
			c, err := o.connect("")
			if err != nil {
				return err
			}
			t, err := c.CreateToken(cmd.Context(), api.TokenRequest{Name: args[0], Role: store.Role(role)})
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(env.Stdout, t)
			}
			fmt.Fprintf(env.Stderr, "token %s for %s, %s; its secret is shown this once:\n", t.ID, t.Name, t.Role)
			_, err = fmt.Fprintln(env.Stdout, t.Secret)
			return err
		},
	}
	o.register(cmd)
	cmd.Flags().StringVar(&role, "role", string(store.RoleViewer), "what it allows: viewer, operator or admin")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func newTokenList(env Env) *cobra.Command {
	var o connectOptions
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens, without their secrets",
		Long:    "List the tokens, oldest first, the revoked ones too; never their secrets.\n" + connectHelp + exitCodesHelp,
		Example: `  greenlight token list`,
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.connect("")
			if err != nil {
				return err
			}
			tokens, err := c.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(env.Stdout, tokens)
			}
			_, err = fmt.Fprint(env.Stdout, tokenTable(tokens, paletteFor(env.Stdout), time.Now()))
			return err
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func tokenTable(tokens []store.Token, p palette, now time.Time) string {
	if len(tokens) == 0 {
		return "there are no tokens; greenlight token create makes one\n"
	}
	view := statusView{now: now}
	var t table
	t.add(cell{"ID", dim, false}, cell{"NAME", dim, false}, cell{"ROLE", dim, false}, cell{"MADE", dim, false}, cell{"LAST USED", dim, false}, cell{"", dim, false})
	for _, token := range tokens {
		tone, revoked := plain, ""
		if !token.RevokedAt.IsZero() {
			tone, revoked = dim, "revoked "+view.ago(token.RevokedAt)
		}
		t.add(cell{token.ID, tone, false}, cell{tame(token.Name), tone, false}, cell{string(token.Role), tone, false},
			cell{view.ago(token.CreatedAt), tone, false}, cell{view.ago(token.LastUsedAt), tone, false}, cell{revoked, tone, false})
	}
	var b strings.Builder
	t.write(&b, p)
	return b.String()
}

func newTokenRevoke(env Env) *cobra.Command {
	var o connectOptions
	cmd := &cobra.Command{
		Use:     "revoke ID",
		Short:   "Make a token worthless",
		Long:    "Make the token ID worthless at once; greenlight token list shows the ids.\n" + connectHelp + exitCodesHelp,
		Example: `  greenlight token revoke q3x7k2m9`,
		Args:    takes(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return revokeToken(cmd.Context(), env, o, args[0]) },
	}
	o.register(cmd)
	return cmd
}

func revokeToken(ctx context.Context, env Env, o connectOptions, id string) error {
	c, err := o.connect("")
	if err != nil {
		return err
	}
	if err := c.RevokeToken(ctx, id); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "revoked %s\n", id)
	return err
}
