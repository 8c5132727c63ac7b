package load

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// routesShown bounds the table for a person; files have them all.
const routesShown = 15

// writeRoutes prints each name of the mix with each status, where there is
// more than one.
func (r *Result) writeRoutes(out io.Writer) error {
	if len(r.Routes) < 2 {
		return nil
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "status\trequests\terrors\tp50\tp99\tmax\t  request")
	for i := range r.Routes[:min(len(r.Routes), routesShown)] {
		route := &r.Routes[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", route.status(), grouped(route.Requests), grouped(route.Errors),
			route.Response.text(route.Response.P50), route.Response.text(route.Response.P99), route.Response.text(route.Response.Max), route.Name)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if left := len(r.Routes) - routesShown; left > 0 {
		fmt.Fprintf(out, "and %d more, which --output and --html have\n", left)
	}
	return nil
}

// status is that of HTTP, or gRPC's code.
func (r *RouteResult) status() string {
	switch {
	case r.Code != "":
		return r.Code
	case r.Status == 0:
		return "no answer"
	}
	return strconv.Itoa(r.Status)
}
