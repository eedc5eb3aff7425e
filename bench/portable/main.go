// Command portable serves arms that are to be measured without any assembly: it is built with -tags purego, which makes the
// standard library do without its own too.
package main

import (
	"fmt"
	"os"
	"sync"

	"sallyport/bench/arm"
	"sallyport/bench/signatures"
	"sallyport/verify/ecpub"
	"sallyport/verify/rsapub"
)

func main() {
	newRSA := sync.OnceValues(func() (*signatures.RSA, error) { return signatures.NewRSA(2048) })
	newECDSA := sync.OnceValues(func() (*signatures.ECDSA, error) { return signatures.NewECDSA(ecpub.P256) })
	err := arm.Serve(os.Stdin, os.Stdout, map[string]arm.Setup{
		"RS256-2048/std": func() (func(), error) {
			l, err := newRSA()
			if err != nil {
				return nil, err
			}
			return l.Std(), nil
		},
		"RS256-2048/portable": func() (func(), error) {
			l, err := newRSA()
			if err != nil {
				return nil, err
			}
			return l.Kernel(rsapub.Portable)
		},
		"ES256/std": func() (func(), error) {
			l, err := newECDSA()
			if err != nil {
				return nil, err
			}
			return l.Std(), nil
		},
		"ES256/portable": func() (func(), error) {
			l, err := newECDSA()
			if err != nil {
				return nil, err
			}
			return l.Kernel(ecpub.Portable)
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "portable:", err)
		os.Exit(1)
	}
}
