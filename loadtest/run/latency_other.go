//go:build !linux

package main

import (
	"context"
	"errors"
)

var errLinux = errors.New("the open loop is for Linux only")

func (r *rig) startOpenLoop() (string, error) { return "", errLinux }

func runLatency(context.Context, *rig, *report) error { return errLinux }
