package main

import (
	"sallyport/bench/rig"
	"sallyport/verify/jose"
)

// allocFigures are the heap allocations of one request with a valid token on the whole path, in one process: proxy, client and
// upstream, of which the last two allocate nothing. The token has been seen: what a signature check by the standard library allocates
// is in verify's TestVerifyAllocs.
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
		{Name: "allocs/rs256", Unit: "allocs", Goal: Exactly(0), Count: count(jose.RS256)},
		{Name: "allocs/es256", Unit: "allocs", Goal: Exactly(0), Count: count(jose.ES256)},
	}
}
