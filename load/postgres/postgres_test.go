package postgres_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load/postgres"
)

// alone leaves nothing of the machine's own settings to a test.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE"} {
		t.Setenv(name, "") // so that it is put back
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", t.TempDir())
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	alone(t)
	t.Setenv("PGSERVICEFILE", write(t, "services", "[shop]\nhost=127.0.0.1\nport=5433\ndbname=shop\nuser=app\npassword=sesame\n[far]\nhost=192.0.2.7\n"))
	for url, want := range map[string]string{
		"postgres://app@127.0.0.1:5433/shop":                     "database shop at 127.0.0.1:5433",
		"postgresql://app@localhost/shop?sslmode=disable":        "database shop at localhost:5432",
		"postgres://app@[::1]:5433":                              "database app at [::1]:5433",
		"postgres:///shop?host=/run/postgresql":                  "database shop at /run/postgresql/.s.PGSQL.5432",
		"postgres://?service=shop":                               "database shop at 127.0.0.1:5433",
		"postgres://app@127.0.0.1/a%40b?application_name=me%40x": "database a@b at 127.0.0.1:5432",
	} {
		d, err := postgres.Parse(t.Context(), url)
		if err != nil || d.String() != want {
			t.Errorf("%s is the %s (%v), want the %s", url, d, err, want)
		}
	}
	t.Setenv("PGHOST", "192.0.2.7")
	for url, code := range map[string]greenlight.Code{
		"postgres://app:sesame@127.0.0.1/shop":                greenlight.CodeInvalid,
		"postgres://app:ses?ame@127.0.0.1/shop":               greenlight.CodeInvalid,
		"postgres://app@127.0.0.1/shop?password=sesame":       greenlight.CodeInvalid,
		"postgres://app@127.0.0.1/shop?a=b&pass%77ord=sesame": greenlight.CodeInvalid,
		"postgres://app@127.0.0.1/shop?sslpassword=sesame":    greenlight.CodeInvalid,
		"postgres://app:ses/ame@127.0.0.1/shop":               greenlight.CodeInvalid,
		"postgres://app:54/sesame@127.0.0.1/shop":             greenlight.CodeInvalid,
		"postgres://localhost:54/ses?ame=x@127.0.0.1/shop":    greenlight.CodeInvalid,
		"postgres://127.0.0.1:sesame/shop":                    greenlight.CodeInvalid,
		"postgres://?service=sesame":                          greenlight.CodeInvalid,
		"postgres://app@192.0.2.7/shop":                       greenlight.CodeRefused,
		"postgres://app@127.0.0.1,192.0.2.7/shop":             greenlight.CodeRefused,
		"postgres://?service=far":                             greenlight.CodeRefused,
		"postgres:///shop":                                    greenlight.CodeRefused,
	} {
		d, err := postgres.Parse(t.Context(), url)
		if greenlight.CodeOf(err) != code {
			t.Errorf("%s is the %s (%v), want %s", url, d, err, code)
		}
		if err != nil && strings.Contains(err.Error(), "ame") {
			t.Errorf("%s: the error shows the password: %v", url, err)
		}
	}
}

func TestReadScript(t *testing.T) {
	s, err := postgres.ReadScript(write(t, "checkout.sql", "SELECT 1"))
	if err != nil || s.Name() != "checkout.sql" {
		t.Errorf("%v, %v", s, err)
	}
	for text, want := range map[string]string{
		" \n\t":           "is empty",
		"SELECT 'a\x00b'": "is not UTF-8 text",
		"SELECT '\xff'":   "is not UTF-8 text",
		strings.Repeat("-", postgres.MaxScript+1): "has more than 1048576 bytes",
	} {
		if _, err := postgres.ReadScript(write(t, "x.sql", text)); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want one that %s", text, err, want)
		}
	}
	if _, err := postgres.ReadScript("nowhere.sql"); greenlight.CodeOf(err) != greenlight.CodeNotFound {
		t.Errorf("no file: %v", err)
	}
}
