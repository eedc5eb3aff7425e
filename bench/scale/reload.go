package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sallyport/edge"
	"sallyport/edge/config"
	"sallyport/edge/demo"
	"sallyport/verify/jose"
)

// A shape writes the part of a config that grows; turn is another number each time where names must change with every reload.
type shape func(b *strings.Builder, n, turn int, key string)

func routes(b *strings.Builder, n, turn int, key string) {
	issuer(b, 0, key)
	fmt.Fprintf(b, "[[upstream]]\nname = \"up\"\nendpoints = [\"127.0.0.1:1\"]\n")
	for i := range n {
		fmt.Fprintf(b, "[[route]]\nname = \"orders-%d-%d\"\nhost = \"api-%d.example.com\"\npath = \"/v1/service-%d/*\"\nmethods = [\"GET\", \"POST\"]\n"+
			"require.scopes = [\"orders.read\"]\nclaim_headers = { X-User = \"sub\" }\nupstream = \"up\"\n", turn, i, i%100, i)
	}
}

func issuer(b *strings.Builder, i int, key string) {
	fmt.Fprintf(b, "[[issuer]]\nissuer = \"https://login.example.com/realms/%d\"\naudiences = [\"https://api.example.com\"]\nalgorithms = [\"ES256\"]\n"+
		"[[issuer.keys]]\njwk = '%s'\n", i, key)
}

// newJWK makes one key for all: that each issuer has its own would measure how fast they are made.
func newJWK() (string, error) {
	s, err := demo.NewSigner(jose.ES256, "k", 0)
	if err != nil {
		return "", err
	}
	key, err := s.JWK(false)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(key)
	return string(text), err
}

// reloadCurves are the CPU time from SIGHUP to a config that is in force. renamed says that every reload replaces all there was.
func reloadCurves() []Curve {
	issuers := func(b *strings.Builder, n, turn int, key string) {
		for i := range n {
			issuer(b, turn*n+i, key)
		}
		fmt.Fprintf(b, "[[upstream]]\nname = \"up\"\nendpoints = [\"127.0.0.1:1\"]\n[[route]]\nname = \"all\"\npath = \"/*\"\nupstream = \"up\"\n")
	}
	upstreams := func(b *strings.Builder, n, turn int, key string) {
		issuer(b, 0, key)
		fmt.Fprintf(b, "[[route]]\nname = \"all\"\npath = \"/*\"\nupstream = \"up-%d\"\n[[upstream]]\nname = \"up-%[1]d\"\nendpoints = [", turn)
		for i := range n {
			fmt.Fprintf(b, "\"10.0.%d.%d:8080\", ", i>>8, i&255)
		}
		b.WriteString("]\n")
	}
	reload := func(name, grows string, sizes []int, renamed bool, s shape) Curve {
		return Curve{Name: "reload/" + name, Grows: grows, Unit: "ms of CPU", Expect: Linear, Sizes: sizes, Make: func(env *Env, n int) (Point, error) {
			return reloadPoint(env, n, renamed, s)
		}}
	}
	return []Curve{
		{
			Name: "config/load", Grows: "routes", Unit: "ms of CPU", Expect: Linear, Sizes: tenTo(10_000),
			Make: func(env *Env, n int) (Point, error) {
				path, err := write(env.Dir, n, 0, routes)
				return Point{Run: func() (float64, error) {
					return timed(func() error {
						_, _, err := config.Load(path)
						return err
					})
				}}, err
			},
		},
		reload("routes", "routes", tenTo(10_000), false, routes),
		reload("routes-renamed", "routes", tenTo(10_000), true, routes),
		reload("issuers", "issuers", tenTo(1000), false, issuers),
		reload("issuers-renamed", "issuers", tenTo(1000), true, issuers),
		reload("endpoints", "endpoints", tenTo(1000), true, upstreams),
	}
}

// write makes a config file.
func write(dir string, n, turn int, s shape) (string, error) {
	key, err := newJWK()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[[listener]]\naddress = \"127.0.0.1:0\"\nmax_connections = 100\n[audit]\noutput = \"off\"\n[admin]\naddress = \"\"\n[log]\nlevel = \"error\"\n"+
		"[verification]\nkey_tables = \"0\"\n")
	s(&b, n, turn, key)
	f, err := os.CreateTemp(dir, "*.toml")
	if err != nil {
		return "", err
	}
	if _, err = f.WriteString(b.String()); err == nil {
		err = f.Close()
	}
	return f.Name(), err
}

// timed returns the CPU time of this process in milliseconds while f runs: what neighbours on the machine take is not in it, and the
// garbage collector's share is.
func timed(f func() error) (float64, error) {
	start := cpuTime()
	err := f()
	return float64(cpuTime()-start) / float64(time.Millisecond), err
}

// reloadPoint starts a server whose config file has n of what grows.
func reloadPoint(env *Env, n int, renamed bool, s shape) (Point, error) {
	var files [2]string
	for turn := range files {
		name := 0
		if renamed {
			name = turn
		}
		var err error
		if files[turn], err = write(env.Dir, n, name, s); err != nil {
			return Point{}, err
		}
	}
	link := filepath.Join(env.Dir, filepath.Base(files[0])+".link")
	if err := os.Symlink(files[0], link); err != nil {
		return Point{}, err
	}
	server, err := edge.Start(edge.Options{ConfigPath: link, LogOutput: io.Discard})
	if err != nil {
		return Point{}, err
	}
	turn := 0
	return Point{
		Run: func() (float64, error) {
			turn = 1 - turn
			os.Remove(link)
			if err := os.Symlink(files[turn], link); err != nil {
				return 0, err
			}
			return timed(server.Reload)
		},
		Close: func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			server.Shutdown(ctx)
		},
	}, nil
}
