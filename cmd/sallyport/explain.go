package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"sallyport/edge"
	"sallyport/edge/config"
)

// maxTokenInput bounds what explain reads; longer tokens are refused by every config.
const maxTokenInput = 1 << 20

func runExplain(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := newFlags("explain", "explain -config FILE [-method M] [-host H] [-path P] [-jwks FILE] < token", stderr)
	path := fs.String("config", "", "the TOML file")
	method := fs.String("method", "GET", "method of the request")
	host := fs.String("host", "localhost", "host of the request")
	target := fs.String("path", "/", "path of the request; it chooses the route")
	jwks := fs.String("jwks", "", "a saved JWKS for issuers whose keys are fetched; explain itself contacts nobody")
	if code := parse(fs, args); code >= 0 {
		return code
	}
	if *path == "" {
		fmt.Fprintln(stderr, "sallyport explain: -config FILE is required; the token is read from standard input")
		return 2
	}
	cfg, _, err := config.Load(*path)
	if err != nil {
		printFault(stderr, "sallyport explain", *path, err)
		return 1
	}
	token, err := io.ReadAll(io.LimitReader(stdin, maxTokenInput))
	if err != nil {
		fmt.Fprintf(stderr, "sallyport explain: cannot read the token from standard input: %v\n", err)
		return 1
	}
	q := edge.Question{Method: *method, Host: *host, Target: *target, Token: token, Now: time.Now().Unix()}
	if *jwks != "" {
		if q.JWKS, err = os.ReadFile(*jwks); err != nil {
			fmt.Fprintf(stderr, "sallyport explain: cannot read -jwks: %v\n", err)
			return 1
		}
	}
	ex, err := edge.Explain(cfg, q)
	if err != nil {
		fmt.Fprintf(stderr, "sallyport explain: %v\n", err)
		return 1
	}
	ex.Write(stdout)
	if ex.Allowed {
		return 0
	}
	return 1
}
