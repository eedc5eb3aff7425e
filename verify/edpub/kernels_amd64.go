//go:build !purego

package edpub

import "golang.org/x/sys/cpu"

// hasIFMA reports whether this machine can run sumIFMA.
var hasIFMA = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512IFMA
