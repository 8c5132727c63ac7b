package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// TestWhatIfPricesOnlyAnswers holds that what does not do has no number of
// replicas and no price, and what does has both.
func TestWhatIfPricesOnlyAnswers(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "capacity", "plan", "testdata", "whole.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p plan.Plan
	if err := json.Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	text := func() string {
		var out bytes.Buffer
		if err := printWhatIf(&out, &p); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	price := regexp.MustCompile(`\$[0-9]`)
	if first := text(); !regexp.MustCompile(`(?m)^Dec 2026 .* 5 .*\$`).MatchString(first) || !regexp.MustCompile(`(?m)^cost `).MatchString(first) || met(&p) != nil {
		t.Errorf("%v; what is met lacks its number or price:\n%s", met(&p), first)
	}
	for i := range p.Periods {
		p.Periods[i].Met = false
	}
	if after := text(); price.MatchString(after) || !regexp.MustCompile(`(?m)^Dec 2026.* – +not met +[0-9.,]+/s +–$`).MatchString(after) {
		t.Errorf("what is not met has a number or price:\n%s", after)
	}
	if err := met(&p); greenlight.CodeOf(err) != greenlight.CodeRefused {
		t.Errorf("the verdict is %v", err)
	}
}

func TestSharesAboveOneNeedASign(t *testing.T) {
	for text, want := range map[string]float64{"5%": 0.05, "5%/month": 0.05, "0.05": 0.05, "0.05/month": 0.05, "1": 1, "500%": 5} {
		if got, err := parseShare(growthFlag, text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"5", "5/month", "-5", "Inf", "1.01"} {
		if got, err := parseShare(growthFlag, text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}
