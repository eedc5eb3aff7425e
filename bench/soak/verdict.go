package main

import "sallyport/verify"

// verdicts is a set of reasons.
type verdicts uint64

func of(list ...verify.Reason) (v verdicts) {
	for _, r := range list {
		v |= 1 << r
	}
	return v
}

func (v verdicts) has(r verify.Reason) bool { return v>>r&1 == 1 }

// phases is the key that is in force under kid b, in turn; nobody: there is none. Each change that there can be is in it.
var phases = [...]signer{keyB1, nobody, keyB1, keyB2, nobody, keyB2}

// want is what may be said of t at the time now by a verifier of the audience, while phase is in force. What the pool has no
// room for may be refused as busy, and a genuine token that has expired is told from a forged one if it is in the cache.
func (t *token) want(now int64, audience int, phase signer) verdicts {
	inForce := t.named
	if t.named != keyA {
		inForce = phase
	}
	expired := now >= t.exp+clockSkew
	switch {
	case inForce == nobody:
		return of(verify.ReasonUnknownKey)
	case t.signed != inForce && expired:
		return of(verify.ReasonUnverified)
	case t.signed != inForce:
		return of(verify.ReasonSignature, verify.ReasonVerificationBusy)
	case expired && t.audience != audience:
		return of(verify.ReasonUnverified, verify.ReasonAudience)
	case expired:
		return of(verify.ReasonUnverified, verify.ReasonExpired)
	case t.audience != audience:
		return of(verify.ReasonAudience, verify.ReasonVerificationBusy)
	}
	return of(verify.ReasonOK, verify.ReasonVerificationBusy)
}

// wantDuring is want for a check that began in one change of keys and ended in another, which may be the same. Changes are numbered from 0,
// and number i puts phases[i] into force. Across a change, the key may have been withdrawn under the check.
func (t *token) wantDuring(now int64, audience int, from, to uint64) (v verdicts) {
	for i := from; i <= to; i++ {
		v |= t.want(now, audience, phases[i%uint64(len(phases))])
	}
	if from != to && t.named != keyA {
		v |= of(verify.ReasonUnknownKey)
	}
	return v
}
