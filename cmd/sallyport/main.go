// Sallyport is a JWT access proxy: it verifies every request and passes on only those that may.
package main

import (
	"fmt"
	"io"
	"os"
)

const usage = `sallyport is a JWT access proxy.

  sallyport serve   -config FILE      run; SIGHUP reloads, SIGTERM drains
  sallyport check   -config FILE      validate and lint; exit 0 or 1, every fault with its line
  sallyport demo    [-listen ADDR]    issuer, echo upstream and proxy in one process; prints curl lines
  sallyport explain -config FILE      token on standard input: what would be decided, and why
  sallyport revoke  ...               add, list and delete rules that take tokens back before they expire
  sallyport token   ...               mint keys, JWKS and tokens for demos and tests
  sallyport version

Each command has -h.
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run returns the exit status: 0, 1 for a fault in what was asked about, 2 for a wrong command line.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	name, rest := args[0], args[1:]
	switch name {
	case "serve":
		return runServe(rest, stderr)
	case "check":
		return runCheck(rest, stdout, stderr)
	case "demo":
		return runDemo(rest, stdout, stderr)
	case "explain":
		return runExplain(rest, stdin, stdout, stderr)
	case "revoke":
		return runRevoke(rest, stdout, stderr)
	case "token":
		return runToken(rest, stdin, stdout, stderr)
	case "version", "-version", "--version":
		return runVersion(rest, stdout, stderr)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return 0
	}
	fmt.Fprintf(stderr, "sallyport: unknown command %q\n\n%s", name, usage)
	return 2
}
