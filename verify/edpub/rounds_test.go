//go:build !race

package edpub

// rounds is how often what has many cases is done for each.
const rounds = 8
