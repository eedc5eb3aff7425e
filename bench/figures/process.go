package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sallyport/bench/arm"
)

// Tool builds the program in bench/name, which may be a module of its own, with build tags, unless it has been built already. It
// returns its path.
func (e *Env) Tool(name string, tags ...string) (string, error) {
	path := filepath.Join(e.Tools, strings.Join(append([]string{name}, tags...), "-"))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.Command("go", "build", "-C", filepath.Join("bench", name), "-tags", strings.Join(tags, ","), "-o", path, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build bench/%s: %w: %s", name, err, out)
	}
	return path, nil
}

// ProcessArm returns the arm called name of the program at path, which must be one of arm.Serve. The program runs until the end
// of all figures, so that its arms share their inputs and make them once.
func (e *Env) ProcessArm(path, name string) Arm {
	return Arm{Run: func() (float64, error) {
		p := e.processes[path]
		if p == nil {
			var err error
			if p, err = startProcess(path); err != nil {
				return 0, err
			}
			if e.processes == nil {
				e.processes = map[string]*process{}
			}
			e.processes[path] = p
		}
		return p.ask(name)
	}}
}

// CompareTool makes the Ratio of two arms of one program of bench: num's time by den's.
func CompareTool(num, den, tool string, tags ...string) func(*Env) (Pair, error) {
	return func(env *Env) (Pair, error) {
		path, err := env.Tool(tool, tags...)
		if err != nil {
			return Pair{}, err
		}
		return Pair{Num: env.ProcessArm(path, num), Den: env.ProcessArm(path, den)}, nil
	}
}

// A process is a program of arm.Serve at work. It ends when its standard input does, so when this process dies too.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

func startProcess(path string) (*process, error) {
	p := &process{cmd: exec.Command(path)}
	p.cmd.Stderr = &p.stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.in, p.out = in, bufio.NewReader(out)
	return p, p.cmd.Start()
}

// ask makes one exchange: a name for a cost.
func (p *process) ask(name string) (float64, error) {
	_, err := io.WriteString(p.in, name+"\n")
	var answer string
	if err == nil {
		answer, err = p.out.ReadString('\n')
	}
	if err != nil {
		return 0, fmt.Errorf("%s ended: %w", filepath.Base(p.cmd.Path), errors.Join(err, p.stop()))
	}
	cost, err := arm.ParseAnswer(answer)
	if err != nil {
		return 0, fmt.Errorf("%s, %s: %w", filepath.Base(p.cmd.Path), name, err)
	}
	return cost, nil
}

// stop ends the process and returns what it said last, if it did not end well.
func (p *process) stop() error {
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		text := p.stderr.Bytes()
		return fmt.Errorf("%w: %s", err, text[:min(len(text), 1000)])
	}
	return nil
}

func (e *Env) stopProcesses() {
	for _, p := range e.processes {
		_ = p.stop()
	}
}
