package main

import "sallyport/bench/stats"

// What figures and other programs judge by alike.
type (
	Goal     = stats.Goal
	Verdict  = stats.Verdict
	interval = stats.Interval
)

const (
	OK    = stats.OK
	Short = stats.Short
	Noisy = stats.Noisy
	NA    = stats.NA
)

var (
	AtMost    = stats.AtMost
	AtLeast   = stats.AtLeast
	Exactly   = stats.Exactly
	median    = stats.Median
	bootstrap = stats.Bootstrap
	number    = stats.Number
)
