package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"sallyport/edge"
)

// newFlags returns a flag set that writes its help to stderr.
func newFlags(name, synopsis string, stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("sallyport "+name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintf(stderr, "usage: sallyport %s\n", synopsis)
		fs.PrintDefaults()
	}
	return fs
}

// parse returns -1 to go on, else the exit status.
func parse(fs *flag.FlagSet, args []string) int {
	switch err := fs.Parse(args); {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0:
		fmt.Fprintf(fs.Output(), "%s: unexpected argument %q\n", fs.Name(), fs.Arg(0))
		return 2
	}
	return -1
}

func runServe(args []string, stderr io.Writer) int {
	fs := newFlags("serve", "serve -config FILE", stderr)
	path := fs.String("config", "", "the TOML file; see configs/sallyport.toml for every key")
	if code := parse(fs, args); code >= 0 {
		return code
	}
	if *path == "" {
		fmt.Fprintln(stderr, "sallyport serve: -config FILE is required")
		return 2
	}
	// Before the config is read, so that a SIGHUP during start is not lost and does not kill the process.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	// A reader of standard output that goes away must not end the proxy.
	signal.Ignore(syscall.SIGPIPE)

	server, err := edge.Start(edge.Options{ConfigPath: *path, LogOutput: stderr})
	if err != nil {
		fmt.Fprintf(stderr, "sallyport serve: %v\n", err)
		return 1
	}
	for sig := range signals {
		if sig == syscall.SIGHUP {
			_ = server.Reload() // logged and counted there; the old config serves on
			continue
		}
		// A second signal ends the drain at once.
		ctx, stop := context.WithCancel(context.Background())
		go func() {
			for s := range signals {
				if s != syscall.SIGHUP {
					stop()
				}
			}
		}()
		server.Shutdown(ctx)
		stop()
		return 0
	}
	return 0
}
