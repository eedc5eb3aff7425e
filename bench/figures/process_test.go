package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script writes a program that answers as told.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProcessArm(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip(err)
	}
	path := script(t, `n=0
while read name; do
	n=$((n+1))
	case $name in
	good) echo $n.5 ;;
	bad) echo error: no key ;;
	dead) echo trouble >&2; exit 3 ;;
	esac
done
`)
	env := &Env{}
	defer env.stopProcesses()
	good, bad, dead := env.ProcessArm(path, "good"), env.ProcessArm(path, "bad"), env.ProcessArm(path, "dead")
	for _, want := range []float64{1.5, 2.5} {
		if got, err := good.Run(); err != nil || got != want {
			t.Errorf("Run = %v, %v, want %v", got, err, want)
		}
	}
	if _, err := bad.Run(); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("an error of the arm came as %v", err)
	}
	if _, err := dead.Run(); err == nil || !strings.Contains(err.Error(), "trouble") {
		t.Errorf("the end of the program came as %v", err)
	}
	if len(env.processes) != 1 {
		t.Errorf("%d processes of one program", len(env.processes))
	}
}

func TestProcessArmWithoutProgram(t *testing.T) {
	env := &Env{}
	a := env.ProcessArm(filepath.Join(t.TempDir(), "none"), "x")
	if _, err := a.Run(); err == nil {
		t.Error("a program that is not there answered")
	}
	env.stopProcesses()
}
