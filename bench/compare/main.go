// Command compare serves arms of other libraries beside sallyport's. It is a module of its own, so that none of them enters
// sallyport's go.mod. What a library leaves to the garbage collector is not in its cost, but for the part that it has to do itself:
// the collector's own threads are not the one whose clock is read.
package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"sallyport/bench/arm"
	"sallyport/bench/corpus"
)

func main() {
	if _, err := corpus.UseKernels(); err != nil {
		fail(err)
	}
	arms := map[string]arm.Setup{"parse/sallyport": parseSallyport, "parse/base64-fastjson": parseFastJSON}
	for _, alg := range algs {
		newCorpus := sync.OnceValues(func() (*corpus.Corpus, error) { return corpus.New(alg, tokens, time.Now()) })
		for _, lib := range libraries {
			arms[alg.String()+"/"+lib.name] = func() (func(), error) {
				c, err := newCorpus()
				if err != nil {
					return nil, err
				}
				return inTurn(lib, c)
			}
		}
	}
	if err := arm.Serve(os.Stdin, os.Stdout, arms); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "compare:", err)
	os.Exit(1)
}
