package main

import (
	"fmt"
	"io"

	"sallyport/edge"
	"sallyport/edge/config"
)

func runCheck(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("check", "check -config FILE", stderr)
	path := fs.String("config", "", "the TOML file")
	if code := parse(fs, args); code >= 0 {
		return code
	}
	if *path == "" {
		fmt.Fprintln(stderr, "sallyport check: -config FILE is required")
		return 2
	}
	if _, err := useKernels(); err != nil { // what serve, in this environment, would not start with
		fmt.Fprintf(stderr, "sallyport check: %s: %v\n", kernelsEnv, err)
		return 2
	}
	cfg, _, err := config.Load(*path)
	if err == nil {
		// What only shows when everything is put together: key files, certificates, routes. Nothing is contacted or opened.
		err = edge.Check(cfg)
	}
	if err != nil {
		printFault(stderr, "sallyport check", *path, err)
		return 1
	}
	warnings := append(config.Faults(config.Lint(cfg)), edge.Lint(cfg)...).Sorted()
	for _, w := range warnings {
		fmt.Fprintf(stdout, "%s:%d: warning: %s: %s\n", w.File, w.Line, w.Key, w.Text)
	}
	fmt.Fprintf(stdout, "%s: ok, %d route(s), %d issuer(s), %d upstream(s), %d warning(s)\n",
		*path, len(cfg.Routes), len(cfg.Issuers), len(cfg.Upstreams), len(warnings))
	return 0
}
