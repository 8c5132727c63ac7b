package postgres_test

import (
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/load/postgres"
)

// FuzzPassword: whatever a password is made of, a URL with it is refused, and no
// error shows it.
func FuzzPassword(f *testing.F) {
	for _, p := range []string{"sesame", "ses/ame", "54/ses?ame=1", "ses@me", "[::1]:5/sesame", "%zz", "se:sa:me", "ses#ame", "\x00sesame", "ses ame"} {
		f.Add("app", p)
	}
	f.Add("localhost", "5432/open?sesame")
	f.Fuzz(func(t *testing.T, user, password string) {
		_, err := postgres.Parse(t.Context(), "postgres://"+user+":"+password+"@127.0.0.1:5432/shop")
		if err == nil {
			t.Fatal("taken")
		}
		if len(password) > 12 && strings.Contains(err.Error(), password) {
			t.Errorf("the error shows it: %v", err)
		}
	})
}
