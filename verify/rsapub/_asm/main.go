// Command _asm writes the assembly of package rsapub: go run . -ifma ../ifma_amd64.s … (see generate.go there).
package main

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
		for _, zmms := range []int{5, 8, 10} {
			ifma(zmms)
		}
	case "adx":
		adx()
	default:
		panic("unknown kernel")
	}
	Generate()
}
