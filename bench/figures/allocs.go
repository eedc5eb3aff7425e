package main

import (
	"sallyport/bench/rig"
	"sallyport/verify/jose"
)

// allocFigures are the heap allocations of one request with a valid token on the whole path, in one process: proxy, client and
// upstream, of which the last two allocate nothing. What is left with a signature by the standard library is the library's own.
func allocFigures() []Figure {
	count := func(alg jose.Alg) func(*Env) (float64, error) {
		return func(env *Env) (float64, error) {
			r, err := rig.New(rig.Options{Alg: alg, Audit: true})
			if err != nil {
				return 0, err
			}
			defer r.Close()
			return r.AllocsPerRequest(1000)
		}
	}
	return []Figure{
		{Name: "allocs/hs256", Unit: "allocs", Goal: Exactly(0), Count: count(jose.HS256)},
		{Name: "allocs/rs256-std", Unit: "allocs", Count: count(jose.RS256)},
		{Name: "allocs/es256-std", Unit: "allocs", Count: count(jose.ES256)},
	}
}
