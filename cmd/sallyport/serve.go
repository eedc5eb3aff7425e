package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"sallyport/edge"
	"sallyport/edge/config"
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
	// Before the config is read, so that a SIGHUP during start is not lost and does not kill the process. A reload that waits
	// stands for all that were asked for meanwhile, and no number of them can displace the signal to stop.
	reload, stop := make(chan os.Signal, 1), make(chan os.Signal, 2)
	signal.Notify(reload, syscall.SIGHUP)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	// A reader of standard output that goes away must not end the proxy.
	signal.Ignore(syscall.SIGPIPE)

	fault, err := useKernels()
	if err != nil {
		fmt.Fprintf(stderr, "sallyport serve: %s: %v\n", kernelsEnv, err)
		return 2
	}
	server, err := edge.Start(edge.Options{ConfigPath: *path, LogOutput: stderr, KernelFault: fault})
	if err != nil {
		printFault(stderr, "sallyport serve", *path, err)
		return 1
	}
	for {
		select {
		case <-reload:
			_ = server.Reload() // logged and counted there; the old config serves on
		case <-stop:
			// A second signal ends the drain at once.
			ctx, cancel := context.WithCancel(context.Background())
			go func() {
				<-stop
				cancel()
			}()
			server.Shutdown(ctx)
			cancel()
			return 0
		}
	}
}

// printFault prints what is wrong with the config at path, each fault on a line of its own that begins with file and line.
func printFault(stderr io.Writer, command, path string, err error) {
	var faults config.Faults
	if !errors.As(err, &faults) {
		fmt.Fprintf(stderr, "%s: %v\n", command, err)
		return
	}
	for _, f := range faults {
		fmt.Fprintln(stderr, f.String())
	}
	fmt.Fprintf(stderr, "%s: %s: %d fault(s)\n", command, path, len(faults))
}
