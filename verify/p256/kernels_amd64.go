//go:build !purego

package p256

import "golang.org/x/sys/cpu"

// HasIFMA reports whether this machine can run SumIFMAVarTime.
var HasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512IFMA

// HasADX reports whether this machine can run SumADXVarTime.
var HasADX = cpu.X86.HasBMI2 && cpu.X86.HasADX
