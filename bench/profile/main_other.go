//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "profile: it runs on Linux only")
	os.Exit(1)
}
