package proc

import (
	"os"
	"runtime"
	"strings"
)

// CPUName returns what the kernel calls the CPU, else the architecture.
func CPUName() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
