package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// acmePath is where HTTP-01 challenges are answered (RFC 8555, 8.3).
const acmePath = "/.well-known/acme-challenge/"

// tlsConfig makes a listener's TLS configuration; the manager is nil without
// ACME.
func tlsConfig(c *TLS, log *slog.Logger) (*tls.Config, *autocert.Manager, error) {
	files, err := loadCertFiles(c.Files, log)
	if err != nil {
		return nil, nil, err
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	var manager *autocert.Manager
	if a := c.ACME; a != nil {
		manager = &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			HostPolicy: autocert.HostWhitelist(a.Domains...),
			Cache:      autocert.DirCache(a.Cache),
			Email:      a.Email,
			Client:     &acme.Client{DirectoryURL: cmp.Or(a.Directory, autocert.DefaultACMEDirectory), UserAgent: "greenlight"},
		}
		manager.HTTPHandler(nil) // lets it use HTTP-01 too
		conf.NextProtos = append(conf.NextProtos, acme.ALPNProto)
	}
	conf.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		challenge := manager != nil && slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto})
		if !challenge {
			if cert := files.find(hello, manager == nil); cert != nil {
				return cert, nil
			}
		}
		if manager == nil {
			return nil, fmt.Errorf("no certificate for %q", hello.ServerName)
		}
		return manager.GetCertificate(hello)
	}
	return conf, manager, nil
}

// answerACME answers a challenge if it is one of ours.
func (g *Gateway) answerACME(w http.ResponseWriter, r *http.Request) bool {
	g.mu.Lock()
	doors := slices.Clone(g.doors)
	g.mu.Unlock()
	for _, d := range doors {
		if d.acme == nil {
			continue
		}
		if d.acme.HostPolicy(context.Background(), canonicalHost(r.Host)) == nil {
			d.acme.HTTPHandler(http.NotFoundHandler()).ServeHTTP(w, r)
			return true
		}
	}
	return false
}

// certFiles are certificates that are read again when their files change.
type certFiles struct {
	log  *slog.Logger
	mu   sync.Mutex
	list []*certFile
}

type certFile struct {
	Certificate
	cert      *tls.Certificate
	changed   time.Time
	checkedAt time.Time
}

// certCheckEvery is how often the files' times are looked at, at most.
const certCheckEvery = 10 * time.Second

func loadCertFiles(files []Certificate, log *slog.Logger) (*certFiles, error) {
	c := &certFiles{log: log}
	var errs []error
	for i, f := range files {
		one := &certFile{Certificate: f, checkedAt: time.Now()}
		if err := one.load(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", index("tls.files", i), err))
		}
		c.list = append(c.list, one)
	}
	return c, errors.Join(errs...)
}

func (f *certFile) load() error {
	changed, err := f.modified()
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return fmt.Errorf("%s and %s: %w", f.Cert, f.Key, err)
	}
	f.cert, f.changed = &cert, changed
	return nil
}

// modified is when the later of the two files changed.
func (f *certFile) modified() (time.Time, error) {
	cert, err := os.Stat(f.Cert)
	if err != nil {
		return time.Time{}, err
	}
	key, err := os.Stat(f.Key)
	if err != nil {
		return time.Time{}, err
	}
	if key.ModTime().After(cert.ModTime()) {
		return key.ModTime(), nil
	}
	return cert.ModTime(), nil
}

// find gives the first certificate that fits; when none does and there is
// no other source, the first of all.
func (c *certFiles) find(hello *tls.ClientHelloInfo, orFirst bool) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh(time.Now())
	for _, f := range c.list {
		if hello.SupportsCertificate(f.cert) == nil {
			return f.cert
		}
	}
	if orFirst && len(c.list) > 0 {
		return c.list[0].cert
	}
	return nil
}

// refresh keeps the old certificate when the new one cannot be read: both
// files are rarely replaced at the same instant.
func (c *certFiles) refresh(now time.Time) {
	for _, f := range c.list {
		if now.Sub(f.checkedAt) < certCheckEvery {
			continue
		}
		f.checkedAt = now
		if changed, err := f.modified(); err == nil && changed.Equal(f.changed) {
			continue
		}
		if err := f.load(); err != nil {
			c.log.Warn("a changed certificate cannot be read; the old one stays", "error", err)
		}
	}
}
