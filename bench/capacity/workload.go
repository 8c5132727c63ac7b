package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

// What a request costs. With 0.15 cores a replica carries 50 a second where
// nothing disturbs it, and what all share gives way at about 280: at 4 replicas
// nothing of that shows, at 8 they would carry 400.
const (
	ownWork    = 3 * time.Millisecond // of a whole core
	sharedWork = 3400 * time.Microsecond
)

// The variables that a replica is told by.
const (
	hashesVar = "HASHES"    // how many make up ownWork on this machine
	stageVar  = "STAGE_URL" // of proxy and lock
)

// compute does the work of a request; the compiler must not leave it out.
func compute(hashes int) byte {
	sum := sha256.Sum256(nil)
	for range hashes {
		sum = sha256.Sum256(sum[:])
	}
	return sum[0]
}

// calibrate counts the hashes of ownWork, by the fastest of many tries: the
// others were disturbed.
func calibrate() int {
	const hashes = 5000
	fastest := time.Hour
	for range 100 {
		start := time.Now()
		compute(hashes)
		fastest = min(fastest, time.Since(start))
	}
	return int(hashes * float64(ownWork) / float64(fastest))
}

// serveReplica is one replica of a workload.
func serveReplica(ctx context.Context, kind string) error {
	hashes, err := strconv.Atoi(os.Getenv(hashesVar))
	if err != nil {
		return fmt.Errorf("%s: %w", hashesVar, err)
	}
	share, ok := map[string]func() error{
		"cpu":   func() error { return nil },
		"proxy": askStage(os.Getenv(stageVar)),
		"lock":  askStage(os.Getenv(stageVar) + "row"),
	}[kind]
	if !ok {
		return fmt.Errorf("no workload %q", kind)
	}
	return serve(ctx, os.Getenv("PORT"), nil, func(w http.ResponseWriter, _ *http.Request) {
		first := compute(hashes)
		if err := share(); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, "%02x\n", first)
	})
}

// askStage asks the stage that all replicas share.
func askStage(url string) func() error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 30 * time.Second}
	return func() error {
		answer, err := client.Get(url) //nolint:noctx // bounded by the client's timeout
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
}

// serveStage is what all replicas share: a proxy that passes one request at a
// time, and below /row a database whose every transaction locks the same row
// while it is written.
func serveStage(ctx context.Context) error {
	var proxy, row sync.Mutex
	return serve(ctx, "0", func(address string) { fmt.Println(address) }, func(w http.ResponseWriter, r *http.Request) {
		turn := &proxy
		if r.URL.Path == "/row" {
			turn = &row
		}
		turn.Lock()
		time.Sleep(sharedWork)
		turn.Unlock()
		fmt.Fprintln(w, "ok")
	})
}

func serve(ctx context.Context, port string, told func(address string), handle http.HandlerFunc) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	if told != nil {
		told(listener.Addr().String())
	}
	server := &http.Server{Handler: handle, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
