package gateway_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// authority is an ACME certificate authority (RFC 8555) for one order. It
// believes signatures, but proves the name as a real one does.
type authority struct {
	*httptest.Server
	t         *testing.T
	challenge string // type that it offers
	prove     func(domain, token string) error
	key       *ecdsa.PrivateKey
	cert      *x509.Certificate
	orders    atomic.Int64

	mu     sync.Mutex
	domain string
	proven bool
	issued []byte // PEM
}

func newAuthority(t *testing.T, challenge string) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, challenge: challenge, key: key}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Replay-Nonce", fmt.Sprint("nonce-", time.Now().UnixNano()))
	payload := jwsPayload(r)
	say := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	state := map[bool]string{false: "pending", true: "valid"}
	challenge := map[string]string{"type": a.challenge, "url": a.URL + "/challenge", "token": "token-1", "status": state[a.proven]}
	switch r.URL.Path {
	case "/directory":
		say(200, map[string]string{"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account", "newOrder": a.URL + "/new-order"})
	case "/nonce":
	case "/account":
		w.Header().Set("Location", a.URL+"/account/1")
		say(201, map[string]string{"status": "valid"})
	case "/new-order":
		a.orders.Add(1)
		var order struct{ Identifiers []struct{ Value string } }
		if err := json.Unmarshal(payload, &order); err != nil || len(order.Identifiers) != 1 {
			say(400, map[string]string{"type": "urn:ietf:params:acme:error:malformed"})
			return
		}
		a.domain = order.Identifiers[0].Value
		a.sayOrder(w, 201, say)
	case "/order":
		a.sayOrder(w, 200, say)
	case "/authorization":
		say(200, map[string]any{"identifier": map[string]string{"type": "dns", "value": a.domain}, "status": state[a.proven], "challenges": []any{challenge}})
	case "/challenge":
		if err := a.prove(a.domain, "token-1"); err != nil {
			a.t.Errorf("the challenge of %s fails: %v", a.domain, err)
		} else {
			a.proven = true
		}
		say(200, challenge)
	case "/finalize":
		a.issue(payload)
		a.sayOrder(w, 200, say)
	case "/certificate":
		_, _ = w.Write(a.issued)
	default:
		http.NotFound(w, r)
	}
}

func jwsPayload(r *http.Request) []byte {
	var jws struct{ Payload string }
	data, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(data, &jws)
	payload, _ := base64.RawURLEncoding.DecodeString(jws.Payload)
	return payload
}

func (a *authority) sayOrder(w http.ResponseWriter, status int, say func(int, any)) {
	order := map[string]any{"status": "pending", "identifiers": []any{map[string]string{"type": "dns", "value": a.domain}},
		"authorizations": []string{a.URL + "/authorization"}, "finalize": a.URL + "/finalize"}
	switch {
	case a.issued != nil:
		order["status"], order["certificate"] = "valid", a.URL+"/certificate"
	case a.proven:
		order["status"] = "ready"
	}
	w.Header().Set("Location", a.URL+"/order")
	say(status, order)
}

func (a *authority) issue(payload []byte) {
	var in struct{ CSR string }
	_ = json.Unmarshal(payload, &in)
	der, _ := base64.RawURLEncoding.DecodeString(in.CSR)
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		a.t.Errorf("certificate request: %v", err)
		return
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: csr.DNSNames, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, a.cert, csr.PublicKey, a.key)
	if err != nil {
		a.t.Error(err)
		return
	}
	for _, der := range [][]byte{cert, a.cert.Raw} {
		a.issued = append(a.issued, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
}

// proveByALPN is the TLS-ALPN-01 challenge (RFC 8737).
func proveByALPN(address string) func(domain, token string) error {
	return func(domain, _ string) error {
		conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: domain, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, e := range conn.ConnectionState().PeerCertificates[0].Extensions {
			if e.Id.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}) && e.Critical {
				return nil
			}
		}
		return errors.New("the certificate has no acmeIdentifier")
	}
}

// proveByHTTP is the HTTP-01 challenge (RFC 8555, 8.3).
func proveByHTTP(c *http.Client, url string) func(domain, token string) error {
	return func(domain, token string) error {
		req, err := http.NewRequest("GET", url+"/.well-known/acme-challenge/"+token, nil)
		if err != nil {
			return err
		}
		req.Host = domain
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && !strings.HasPrefix(string(body), token+".") {
			err = fmt.Errorf("%s: %q", resp.Status, body)
		}
		return err
	}
}

func TestACME(t *testing.T) {
	for _, challenge := range []string{"tls-alpn-01", "http-01"} {
		t.Run(challenge, func(t *testing.T) {
			b := newBackend(t, "b")
			ca := newAuthority(t, challenge)
			cache := t.TempDir()
			config := to(b.address())
			config.Listeners = []gateway.Listener{{Name: "secure", Address: "127.0.0.1:0",
				TLS: &gateway.TLS{ACME: &gateway.ACME{Domains: []string{"shop.example"}, Cache: cache, Directory: ca.URL + "/directory"}}}}
			g := start(t, config)
			address := g.Addr("secure").String()
			ca.prove = proveByALPN(address)
			if challenge == "http-01" {
				ca.prove = proveByHTTP(httpClient(t), g.url)
			}
			defer http.DefaultTransport.(*http.Transport).CloseIdleConnections() // the ACME client's
			pool := x509.NewCertPool()
			pool.AddCert(ca.cert)
			tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool},
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, address)
				}}
			defer tr.CloseIdleConnections()
			c := &http.Client{Transport: tr, Timeout: 20 * time.Second}
			for range 2 {
				if got := get(t, c, "https://shop.example/"); got.body != "b" {
					t.Errorf("%d %q", got.status, got.body)
				}
				tr.CloseIdleConnections()
			}
			if resp, err := c.Get("https://other.example/"); err == nil {
				resp.Body.Close()
				t.Error("a certificate for a name that is not configured")
			}
			if n := ca.orders.Load(); n != 1 {
				t.Errorf("%d orders, want 1", n)
			}
			if files, err := os.ReadDir(cache); err != nil || len(files) == 0 {
				t.Errorf("nothing is kept: %v %v", files, err)
			}
			wantStatus(t, get(t, httpClient(t), g.url+"/.well-known/acme-challenge/x", "Host: else.example"), 200) // not ours: the service's
		})
	}
}
