package main

import (
	"os"

	"sallyport/verify"
)

// kernelsEnv forces what checks signatures. It is for measuring, and for the day on which a kernel turns out to be wrong.
const kernelsEnv = "SALLYPORT_KERNELS"

// useKernels chooses what checks signatures, for all keys of the process. fault is a kernel that failed its self-test and was left
// out; err says that what the environment asks for cannot be had.
func useKernels() (fault, err error) {
	name := os.Getenv(kernelsEnv)
	if name == "" {
		name = "auto"
	}
	k, err := verify.ChooseKernels(name)
	if err != nil && name != "auto" {
		return nil, err
	}
	verify.UseKernels(k)
	return err, nil
}
