// Command reports shows a page of figures, each part of it made by one of
// eight workers. RESULTS says what a worker does with a part that is ready: it
// hands it to the reader, or keeps it until the reader takes it.
package main

import (
	"context"
	"fmt"
	"html"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv("PORT"), os.Getenv("RESULTS")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, port, results string) error {
	room, known := map[string]int{"handed": 0, "kept": 1}[results]
	if !known {
		return fmt.Errorf("RESULTS is %q; want handed or kept", results)
	}
	d := &desk{busy: make(chan struct{}, workers), room: room}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", d.show)
	mux.HandleFunc("GET /reports/{name}", d.show)
	return serve(ctx, net.JoinHostPort("127.0.0.1", port), mux)
}

func serve(ctx context.Context, address string, handler http.Handler) error {
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}

// workers is how many parts of pages are made at once.
const workers = 8

// desk has the parts of pages made.
type desk struct {
	busy chan struct{} // holds one for each worker that is at work
	room int           // results that a worker can put down before they are taken
	made atomic.Int64
}

func (d *desk) show(w http.ResponseWriter, r *http.Request) {
	part, err := d.part(r.Context(), r.PathValue("name"))
	if err != nil {
		return // the reader has loaded the page anew, or left it
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintln(w, part)
}

// part has a worker make a part, and ends when its reader is gone.
func (d *desk) part(ctx context.Context, name string) (string, error) {
	select {
	case d.busy <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	// Without room the worker stands at the send until somebody receives.
	// When the reader has gone nobody ever does, and the worker is lost.
	result := make(chan string, d.room)
	go func() {
		defer func() { <-d.busy }()
		result <- d.work(name)
	}()
	select {
	case part := <-result:
		return part, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// work takes 10 ms, but 600 on every fortieth part: its figures are old, and
// new ones are fetched.
func (d *desk) work(name string) string {
	if d.made.Add(1)%40 == 0 {
		time.Sleep(600 * time.Millisecond)
	} else {
		time.Sleep(10 * time.Millisecond)
	}
	if name == "" {
		return page
	}
	return "<h2>" + html.EscapeString(name) + "</h2>"
}

// page shows three reports, which the browser asks for.
const page = `<!doctype html><title>Today</title><h1>Today</h1>
<iframe src="/reports/sales"></iframe><iframe src="/reports/stock"></iframe><iframe src="/reports/staff"></iframe>`
