package gateway

import (
	"encoding/json"
	"os"
	"time"
)

// Process is what the process that serves now writes to the process file.
type Process struct {
	PID         int       `json:"pid"`
	Predecessor int       `json:"predecessor,omitempty"`
	Control     string    `json:"control,omitempty"`
	StartedAt   time.Time `json:"startedAt"`
	// Listeners are the addresses in use when it started.
	Listeners []ListenerStatus `json:"listeners"`
}

// ReadProcess reads a process file. A gateway that ended by SIGTERM leaves
// none, one that was killed does.
func ReadProcess(file string) (Process, error) {
	var p Process
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	return p, err
}

func (g *Gateway) writeProcessFile() error {
	if g.options.ProcessFile == "" {
		return nil
	}
	s := g.Status()
	g.mu.Lock()
	control := g.control.url()
	g.mu.Unlock()
	data, err := json.Marshal(Process{PID: s.PID, Predecessor: g.options.Inherited.Predecessor(), Control: control,
		StartedAt: s.StartedAt, Listeners: s.Listeners})
	if err != nil {
		return err
	}
	return writeFileSync(g.options.ProcessFile, append(data, '\n'))
}

// removeProcessFile does so only while it is ours.
func (g *Gateway) removeProcessFile() {
	if g.options.ProcessFile == "" {
		return
	}
	if p, err := ReadProcess(g.options.ProcessFile); err == nil && p.PID == os.Getpid() {
		_ = os.Remove(g.options.ProcessFile) // a leftover is recognised by its pid
	}
}
