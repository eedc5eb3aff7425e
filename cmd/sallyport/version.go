package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"sallyport/verify"
)

// version is set by the release build: -ldflags "-X main.version=v1.2.3".
var version = ""

func runVersion(args []string, stdout, stderr io.Writer) int {
	if code := parse(newFlags("version", "version", stderr), args); code >= 0 {
		return code
	}
	v, revision := version, "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	if v == "" {
		v = "(devel)"
	}
	fmt.Fprintf(stdout, "sallyport %s\nrevision  %s\ngo        %s %s/%s\n", v, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	switch fault, err := useKernels(); {
	case err != nil:
		fmt.Fprintf(stdout, "kernels   %s: %v\n", kernelsEnv, err)
		return 1
	case fault != nil:
		fmt.Fprintf(stdout, "kernels   %s (left out: %v)\n", verify.ActiveKernels(), fault)
		return 1
	}
	fmt.Fprintf(stdout, "kernels   %s\n", verify.ActiveKernels())
	return 0
}
