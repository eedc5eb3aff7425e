// Command _asm writes the assembly of package edpub, one kernel a run.
package main

//go:generate go run . -kernel ifma -out ../ifma_amd64.s -stubs ../ifma_stubs_amd64.go -pkg edpub

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	kernel := flag.String("kernel", "", "ifma")
	flag.Parse() // avo's own -out and -stubs among them
	ConstraintExpr("!purego")
	switch *kernel {
	case "ifma":
		ifma()
	default:
		panic("unknown kernel")
	}
	Generate()
}
