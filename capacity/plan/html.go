package plan

import (
	_ "embed"
	htmltemplate "html/template"
	"io"
)

//go:embed plan.html
var htmlPage string

// WriteHTML writes the plan with charts as one file that needs no other.
func (p *Plan) WriteHTML(out io.Writer) error {
	page, err := htmltemplate.New("plan").Funcs(functions()).Parse(htmlPage)
	if err != nil {
		return err
	}
	return page.Execute(out, p)
}
