package main

import (
	"bufio"
	"bytes"
	"net"
	"strconv"
)

// answer is what the upstream says to everything.
var answer = []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 62\r\n\r\n" +
	`{"predictions":[{"species":"Adelie","probability":0.99871231}]}`[:62])

// startUpstream answers without looking at more of a request than its length.
func startUpstream() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answerAll(c)
		}
	}()
	return ln, nil
}

func answerAll(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			if name, value, ok := bytes.Cut(line, []byte(": ")); ok && len(name) == 14 && bytes.EqualFold(name, []byte("content-length")) {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// requests are what the clients send, by name.
var requests = map[string][]byte{
	"GET":  []byte("GET /predict HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench\r\nAccept: application/json\r\n\r\n"),
	"POST": post(`{"rows":[{"island":"Biscoe","bill_length_mm":39.1,"bill_depth_mm":18.7,"flipper_length_mm":181,"body_mass_g":3750,"sex":"male"}]}`),
}

func post(body string) []byte {
	return []byte("POST /predict HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// readAnswer reads one answer of known length and gives its status and
// whether it asks to close the connection.
func readAnswer(r *bufio.Reader) (status int, closing bool, err error) {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, true, err
		}
		if len(line) <= 2 {
			break
		}
		if status == 0 && len(line) > 12 {
			status, _ = strconv.Atoi(string(line[9:12]))
		}
		switch {
		case bytes.EqualFold(line, []byte("connection: close\r\n")):
			closing = true
		case len(line) > 16 && bytes.EqualFold(line[:16], []byte("content-length: ")):
			length, _ = strconv.Atoi(string(bytes.TrimSpace(line[16:])))
		}
	}
	_, err = r.Discard(length)
	return status, closing, err
}
