package main

import "testing"

func TestParseOpenSSL(t *testing.T) {
	check := func(out string, want float64) {
		t.Helper()
		if got, err := parseOpenSSL(out); got != want || (err == nil) != (want != 0) {
			t.Errorf("parseOpenSSL(%q) = %v, %v, want %v", out, got, err, want)
		}
	}
	// 3.0, Debian 12.
	check(`version: 3.0.19
options: bn(64,64)
CPUINFO: OPENSSL_ia32cap=0xfffa3203078bffff:0x405fc6f1bf07ab
                  sign    verify    sign/s verify/s
rsa 2048 bits 0.000253s 0.000018s   3948.0  56720.0
`, 56720)
	// 3.5, Debian 13.
	check(`version: 3.5.4
                   sign    verify    encrypt   decrypt   sign/s verify/s  encr./s  decr./s
rsa  2048 bits 0.000253s 0.000018s 0.000019s 0.000260s   3948.0  56721.5  52000.0   3846.0
`, 56721.5)
	check("", 0)
	check("rsa 2048 bits 0.000253s 0.000018s   3948.0  56720.0\n", 0)
	check("sign verify sign/s verify/s\nrsa 2048 bits 0.1s 0.1s 3948.0 nan\n", 0)
	check("sign verify sign/s verify/s\n", 0)
}
