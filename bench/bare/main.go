// Command bare is the yardstick: the least that a proxy on fasthttp can do. It forwards each request in place, as the
// library's author recommends (fasthttp issue #64), and checks nothing. GOMAXPROCS is taken from the environment.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/valyala/fasthttp"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8081", "address to serve on")
	upstream := flag.String("upstream", "127.0.0.1:8000", "host:port of the upstream")
	flag.Parse()
	if err := serve(*listen, *upstream); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func serve(listen, upstream string) error {
	client := &fasthttp.HostClient{Addr: upstream, MaxConns: 1024}
	server := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		req, resp := &ctx.Request, &ctx.Response
		req.Header.Del("Connection")
		if err := client.Do(req, resp); err != nil {
			ctx.Error("upstream: "+err.Error(), fasthttp.StatusBadGateway)
			return
		}
		resp.Header.Del("Connection")
	}}
	return server.ListenAndServe(listen)
}
