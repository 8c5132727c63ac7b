package api

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// headerGreenlight marks a request as sent on purpose: no web page of another
// origin can set it without asking first, and nobody answers such a question.
const headerGreenlight = "X-Greenlight"

var (
	errForeignHost = newFailure(http.StatusForbidden, greenlight.CodeRefused,
		"this address answers only to loopback names such as localhost and 127.0.0.1")
	errForeignPage = newFailure(http.StatusForbidden, greenlight.CodeRefused,
		"requests from other web pages are refused")
	errNotOnPurpose = newFailure(http.StatusForbidden, greenlight.CodeRefused,
		"a request that changes something needs the header "+headerGreenlight+": 1 or a body with Content-Type: application/json")
)

// loopbackName tells whether a Host header names this machine itself. Any
// other name, resolved to a loopback address by whoever owns it, would make
// this server part of that owner's web pages.
func loopbackName(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// onPurpose refuses what a web page of another origin could have sent.
// Opening a page is no such thing, as its opener cannot read it.
func onPurpose(r *http.Request) *failure {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		opens := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
		if !reads || !opens {
			return errForeignPage
		}
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return errForeignPage
		}
	}
	if !reads && r.Header.Get(headerGreenlight) == "" && !isJSON(r.Header.Get("Content-Type")) {
		return errNotOnPurpose
	}
	return nil
}

func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && t == "application/json"
}
