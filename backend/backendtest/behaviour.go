package backendtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Behaviour is what a replica of the suite does; the zero value serves, is
// ready at once and ends when it is asked to.
type Behaviour struct {
	Print      []string      // lines to write at the start
	ReadyAfter time.Duration // until then /ready answers 503 "loading"
	Health     int           // status of /ready when it is not 200
	Silent     bool          // never listens
	ExitAfter  time.Duration // ends by itself then, with ExitCode; 0 is never
	ExitCode   int
	IgnoreTerm bool          // goes on when it is asked to stop
	StopAfter  time.Duration // takes so long to end when it is asked to
	Children   int           // processes that it starts and leaves alone
	Detach     bool          // its children leave its process group
	SickAfter  time.Duration // so long after the first good answer /ready and /live answer 500; 0 is never
	SickFor    time.Duration // and are good again after so long; 0 is never
}

// lifetime bounds a replica that a failed test left behind.
const lifetime = 2 * time.Minute

// Encode gives the behaviour as an argument for Program.
func (b Behaviour) Encode() string {
	data, err := json.Marshal(b)
	if err != nil {
		panic(err) // numbers and strings only
	}
	return string(data)
}

// Decode is the reverse of Encode.
func Decode(s string) (Behaviour, error) {
	var b Behaviour
	err := json.Unmarshal([]byte(s), &b)
	return b, err
}

// Program is the replica of the suite as a process: it serves HTTP on $PORT as
// the encoded behaviour says, and does not return. GET /env?NAME answers with
// a variable, GET /args with its arguments. A test's TestMain calls it when its
// binary was started as a replica.
func Program(behaviour string) {
	b, err := Decode(behaviour)
	if err != nil {
		fmt.Fprintln(os.Stderr, "behaviour:", err)
		os.Exit(2)
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM, os.Interrupt)
	for _, line := range b.Print {
		fmt.Println(line)
	}
	if err := b.startChildren(); err != nil {
		fmt.Fprintln(os.Stderr, "children:", err)
		os.Exit(2)
	}
	if !b.Silent {
		b.listen()
	}
	b.live(terminated)
}

func (b Behaviour) startChildren() error {
	for range b.Children {
		child := exec.Command(os.Args[0], os.Args[1:len(os.Args)-1]...)
		child.Args = append(child.Args, Behaviour{Silent: true, IgnoreTerm: true}.Encode())
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if b.Detach {
			child.SysProcAttr = detached()
		}
		if err := child.Start(); err != nil {
			return err
		}
		fmt.Println("child", child.Process.Pid)
	}
	return nil
}

func (b Behaviour) listen() {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	go func() { _ = http.Serve(listener, b.handler(time.Now())) }()
}

func (b Behaviour) handler(start time.Time) http.Handler {
	mux := http.NewServeMux()
	var once sync.Once
	var good time.Time
	health := func(w http.ResponseWriter, r *http.Request) {
		loading := r.URL.Path == "/ready" && time.Since(start) < b.ReadyAfter
		if !loading && b.Health == 0 {
			once.Do(func() { good = time.Now() })
		}
		switch {
		case b.Health != 0:
			w.WriteHeader(b.Health)
			fmt.Fprint(w, "wrong health")
		case loading:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "loading")
		case b.sick(time.Since(good)):
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "sick")
		default:
			fmt.Fprint(w, "ok")
		}
	}
	mux.HandleFunc("/ready", health)
	mux.HandleFunc("/live", health)
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.URL.RawQuery)) })
	mux.HandleFunc("/environ", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(os.Environ()) })
	mux.HandleFunc("/args", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(os.Args) })
	mux.HandleFunc("/dir", func(w http.ResponseWriter, _ *http.Request) {
		dir, _ := os.Getwd()
		fmt.Fprint(w, dir)
	})
	return mux
}

// sick tells whether the checks fail so long after the first good answer.
func (b Behaviour) sick(after time.Duration) bool {
	return b.SickAfter != 0 && after >= b.SickAfter && (b.SickFor == 0 || after < b.SickAfter+b.SickFor)
}

// live waits for the end that the behaviour says.
func (b Behaviour) live(terminated <-chan os.Signal) {
	if b.ExitAfter == 0 {
		b.ExitAfter = lifetime
	}
	exit := time.After(b.ExitAfter)
	for {
		select {
		case <-exit:
			os.Exit(b.ExitCode)
		case <-terminated:
			if b.IgnoreTerm {
				continue
			}
			time.Sleep(b.StopAfter)
			fmt.Println("bye")
			os.Exit(0)
		}
	}
}
