package corpus

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Unsigned returns n different tokens for measurements of parsing: a header of 85 octets, a claims set of 420 as providers make them,
// and 256 octets in the place of a signature.
func Unsigned(n int) [][]byte {
	const header = `{"alg":"RS256","typ":"at+jwt","kid":"b1946ac92492d2347c6235b4d2611184-2026-11-01T00"}`
	const payload = `{"iss":"https://login.example.com/realms/main","sub":"248289761001-7f3a-4c1e-9d0b-%012x","aud":["https://api.example.com","account"],` +
		`"exp":1800000300,"iat":1800000000,"nbf":1800000000,"jti":"0b6c7f0e-2d5a-4b8e-9f43-%012x","client_id":"web-frontend",` +
		`"scope":"openid profile orders.read orders.write","realm_access":{"roles":["clerk","auditor","offline_access"]},"name":"Ada Lovelace","locale":"en-GB"}`
	enc := base64.RawURLEncoding
	out := make([][]byte, n)
	for i := range out {
		out[i] = []byte(enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString(fmt.Appendf(nil, payload, i, i*7919)) + "." +
			enc.EncodeToString([]byte(strings.Repeat("s", 256))))
	}
	return out
}
