//go:build purego

package cache

import "hash/maphash"

// hash is maphash.Bytes, since Comparable allocates in this build.
func hash(seed maphash.Seed, b []byte) uint64 { return maphash.Bytes(seed, b) }
