// Command soak sends mixed valid and forged tokens through a Verifier with its cache and its pool, from many goroutines at once, while
// keys are withdrawn, replaced and added again. It knows beforehand what is to be said of each token, and ends with status 1 if
// it is told something else.
//
// Four algorithms with the kernels that a start of sallyport chooses; signatures that are forged, another key's, or under
// changed claims; tokens that expire meanwhile; two audiences; popular tokens and others, so that the cache hits, misses and
// evicts; crowds that ask about the same token at once.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	opt := options{progress: os.Stderr}
	flag.Uint64Var(&opt.tokens, "n", 10_000_000, "how many tokens")
	flag.IntVar(&opt.perAlg, "tokens", 2000, "how many different genuine tokens of each algorithm")
	flag.Parse()
	if flag.NArg() > 0 || opt.tokens < 1 || opt.perAlg < 32 {
		fmt.Fprintln(os.Stderr, "soak: there are to be some tokens, 32 different ones at least, and no arguments")
		os.Exit(2)
	}
	r, err := run(opt)
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	fmt.Print(r)
	if r.wrong > 0 {
		os.Exit(1)
	}
}
