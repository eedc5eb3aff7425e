// Command _asm writes the assembly of package p256, one kernel a run.
package main

//go:generate go run . -kernel ifma -out ../ifma_amd64.s -stubs ../ifma_stubs_amd64.go -pkg p256
//go:generate go run . -kernel adx -out ../adx_amd64.s -stubs ../adx_stubs_amd64.go -pkg p256

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	kernel := flag.String("kernel", "", "ifma or adx")
	flag.Parse() // avo's own -out and -stubs among them
	ConstraintExpr("!purego")
	switch *kernel {
	case "ifma":
		ifma()
	case "adx":
		adx()
	default:
		panic("unknown kernel")
	}
	Generate()
}
