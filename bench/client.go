package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// load is what a client's round gave.
type load struct {
	Requests int
	Seconds  float64
}

// clientPart sends one request over and over on connections that are kept,
// each as soon as it has the last answer. It writes the request's bytes as
// they are and reads no more of an answer than its status and length, so that
// the server, not the client, is the limit.
func clientPart(args []string, w io.Writer) error {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	target := flags.String("url", "", "")
	body := flags.String("body", "", "")
	connections := flags.Int("connections", 8, "")
	duration := flags.Duration("duration", time.Second, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	to, err := url.Parse(*target)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(*body)
	if err != nil {
		return err
	}
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		to.Path, to.Host, len(data), data)

	var requests atomic.Int64
	errs := make([]error, *connections)
	started := time.Now()
	var wg sync.WaitGroup
	for i := range *connections {
		wg.Go(func() {
			errs[i] = repeat(to.Host, request, started.Add(*duration), &requests)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(load{int(requests.Load()), time.Since(started).Seconds()})
}

// repeat sends the request until the deadline. A server that closes the
// connection after an answer, as gunicorn's sync workers do, is dialled again.
func repeat(host string, request []byte, deadline time.Time, requests *atomic.Int64) error {
	for time.Now().Before(deadline) {
		if err := connection(host, request, deadline, requests); err != nil {
			return err
		}
	}
	return nil
}

func connection(host string, request []byte, deadline time.Time, requests *atomic.Int64) error {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	for time.Now().Before(deadline) {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		closing, err := readAnswer(in)
		if err != nil {
			return err
		}
		requests.Add(1)
		if closing {
			return nil
		}
	}
	return nil
}

// readAnswer reads past one answer and fails unless it is a 200 that says its
// length.
func readAnswer(in *bufio.Reader) (closing bool, err error) {
	length := -1
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return false, fmt.Errorf("reading an answer: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if first && !bytes.Contains(line, []byte(" 200 ")) {
			return false, fmt.Errorf("the server answers %q", line)
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return false, err
			}
		case bytes.EqualFold(name, []byte("Connection")):
			closing = bytes.EqualFold(value, []byte("close"))
		}
	}
	if length < 0 {
		return false, errors.New("an answer does not say its length")
	}
	_, err = in.Discard(length)
	return closing, err
}

// barePart is the least that a Go server can do with a request: read its body
// and answer the bytes of a file.
func barePart(args []string, _ io.Writer) error {
	flags := flag.NewFlagSet("bare", flag.ExitOnError)
	addr := flags.String("addr", "", "")
	answerFile := flags.String("answer", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	answer, err := os.ReadFile(*answerFile)
	if err != nil {
		return err
	}
	return http.ListenAndServe(*addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer) // a client that is gone needs no answer
	}))
}
