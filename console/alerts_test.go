package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/control"
)

func TestExpiredPlansShow(t *testing.T) {
	p := single()
	e := &p.status.Environments[0]
	s := &e.Services[0]
	h := pages(t, p)
	own := "/environments/" + e.Name + "/services/" + s.Name
	for _, path := range []string{"/", own} {
		if text := get(t, h, path).main(); strings.Contains(text, "plan has expired") || strings.Contains(text, "plan expired") {
			t.Errorf("%s has an alert of nothing:\n%s", path, text)
		}
	}
	s.Alerts = []control.Alert{{Kind: "capacity.expired", Subject: "20260102-030405000-5c8e0b", Since: time.Now(), Text: "the plan has expired: <Dec> had 90/s"}}
	link := "/capacity/" + e.Name + "/" + s.Name + "/20260102-030405000-5c8e0b"
	for path, want := range map[string]string{"/": "plan expired", own: " the plan has expired: <Dec> had 90/s. See the plan"} {
		page := get(t, h, path)
		linked := false
		for _, a := range page.all(element("a")) {
			linked = linked || attribute(a, "href") == link
		}
		if !strings.Contains(page.main(), want) || !linked {
			t.Errorf("%s does not say %q, or does not lead to the plan:\n%s", path, want, page.main())
		}
	}
}
