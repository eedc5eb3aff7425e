package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"sallyport/verify/rsapub"
)

func lacksOpenSSL() string {
	if _, err := exec.LookPath("openssl"); err != nil {
		return "openssl is not installed"
	}
	return lacksKernel(rsapub.Supported(rsapub.IFMA), rsapub.IFMA)
}

// opensslRatio compares with openssl's own benchmark. A run of that takes two seconds at least, one of which is for signing; it
// counts CPU time too.
func opensslRatio(*Env) (Pair, error) {
	l, err := rsaSignatures(2048)
	if err != nil {
		return Pair{}, err
	}
	own, err := l.Kernel(rsapub.IFMA)
	return Pair{Num: Arm{Run: opensslVerify}, Den: Func(own)}, err
}

// opensslVerify returns the nanoseconds that openssl takes to verify one RSA-2048 signature.
func opensslVerify() (float64, error) {
	out, err := exec.Command("openssl", "speed", "-seconds", "1", "rsa2048").Output()
	if err != nil {
		return 0, fmt.Errorf("openssl speed: %w", err)
	}
	rate, err := parseOpenSSL(string(out))
	if err != nil {
		return 0, err
	}
	return 1e9 / rate, nil
}

// parseOpenSSL finds the rate of verification in the table at the end: a line of headings, one of them verify/s, and below it
// one that begins with "rsa" and ends in as many numbers. OpenSSL 3.2 has more columns than 3.0.
func parseOpenSSL(out string) (perSecond float64, err error) {
	fromEnd := 0
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		for i, f := range fields {
			if f == "verify/s" {
				fromEnd = len(fields) - i
			}
		}
		if fromEnd == 0 || len(fields) <= fromEnd || !strings.HasPrefix(fields[0], "rsa") {
			continue
		}
		rate, err := strconv.ParseFloat(fields[len(fields)-fromEnd], 64)
		if err != nil || !(rate > 0) {
			return 0, fmt.Errorf("openssl speed: cannot read %q", strings.TrimSpace(line))
		}
		return rate, nil
	}
	return 0, errors.New("openssl speed: no rate of verification in its output")
}
