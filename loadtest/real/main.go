// Real runs a real OpenID provider on loopback, for trying sallyport by hand.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"sallyport/loadtest/real/provider"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9998", "address to serve on; loopback only")
	flag.Parse()
	p, err := provider.Start(*listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer p.Close()
	fmt.Printf(`provider: %s
A token, by client credentials:
  curl -s -u %s:%s -d grant_type=client_credentials -d scope=openid %s/oauth/token
Interrupt (Ctrl-C) to stop.
`, p.URL, provider.ServiceID, provider.ServiceSecret, p.URL)
	done := make(chan os.Signal, 1)
	signal.Notify(done, os.Interrupt, syscall.SIGTERM)
	<-done
}
