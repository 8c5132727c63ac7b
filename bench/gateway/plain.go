package main

import (
	"context"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"
)

// plain is the standard library's reverse proxy with a tuned Transport and
// nothing else: what Greenlight's gateway is built on, without routes,
// balancing, limits, health, retries and metrics.
func plain(ctx context.Context, address, upstream string) error {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: upstream})
			p.SetXForwarded()
		},
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256},
	}
	server := &http.Server{Addr: address, Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func startPlain(ctx context.Context, core, upstream string) (*rival, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd, stop, err := command(core, []string{"GOGC=400"}, self, "plain", address, upstream)
	if err != nil {
		return nil, err
	}
	return &rival{"ReverseProxy", address, cmd.Process.Pid, stop}, awaitListen(ctx, address)
}
