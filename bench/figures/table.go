package main

import "slices"

// table is every figure that an issue asks for, in the order of the path of a request.
func table() []Figure {
	return slices.Concat(
		kernelFigures(),
		verifierFigures(),
		cacheFigures(),
		allocFigures(),
		proxyFigures(),
		floodFigures(),
	)
}
