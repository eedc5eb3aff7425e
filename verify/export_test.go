package verify

import (
	"errors"
	"fmt"

	"sallyport/verify/ecpub"
	"sallyport/verify/edpub"
	"sallyport/verify/jose"
	"sallyport/verify/rsapub"
)

// BreakSelfTest makes the self-test of "rsa", "ecdsa", "eddsa" or "base64" fail until the returned function is called.
func BreakSelfTest(what string) (mend func()) {
	before := selfTest
	err := errors.New("broken by a test")
	switch what {
	case "rsa":
		selfTest.rsa = func(rsapub.Kernel) error { return err }
	case "ecdsa":
		selfTest.ecdsa = func(c ecpub.Curve, _ ecpub.Kernel) error {
			if c == ecpub.P521 {
				return err
			}
			return nil
		}
	case "eddsa":
		selfTest.eddsa = func(edpub.Kernel) error { return err }
	case "base64":
		selfTest.base64 = func(jose.Vector) error { return err }
	}
	return func() { selfTest = before }
}

// HasTable reports whether k has a table.
func HasTable(k *Key) bool {
	switch s := k.scheme.(type) {
	case *ecdsaScheme:
		return s.table.load() != nil
	case *ed25519Scheme:
		return s.table.load() != nil
	}
	return false
}

// KnownHeaders returns how many headers s remembers.
func KnownHeaders(s *KeySet) int {
	n := 0
	for i := range s.headers {
		if s.headers[i].Load() != nil {
			n++
		}
	}
	return n
}

// Hold returns a key like k whose checks say that they have begun, and then wait until gate is closed.
func Hold(k *Key, began chan<- struct{}, gate <-chan struct{}) *Key {
	return &Key{alg: k.alg, fingerprint: k.fingerprint, scheme: heldScheme{k.scheme, began, gate}}
}

type heldScheme struct {
	scheme
	began chan<- struct{}
	gate  <-chan struct{}
}

func (s heldScheme) verify(input, sig []byte) bool {
	s.began <- struct{}{}
	<-s.gate
	return s.scheme.verify(input, sig)
}

// Passes is the look-up for a verified token without a mark.
func (d *Denylist) Passes(t *Token, now int64) bool { return d.passes(t, nil, now) }

// CheckTables reports what is wrong with the books of the tables.
func (d *Denylist) CheckTables() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for at := range d.tables {
		t := d.tables[at].Load()
		if t == nil {
			continue
		}
		used, dead := 0, 0
		for i := range t.slots {
			n := t.slots[i].node.Load()
			if n == nil {
				continue
			}
			used++
			if n.spans.Load() == nil {
				dead++
			}
			if t.find(t.slots[i].hash.Load(), n.scope, n.value) != n {
				return fmt.Errorf("table %d: value %q cannot be found", at, n.value)
			}
		}
		if used != d.used[at] || dead != d.dead[at] || 4*used > 3*len(t.slots) || 2*dead > used || len(t.slots) > 8*(used-dead)+8 {
			return fmt.Errorf("table %d of %d: %d used, %d dead; noted are %d, %d", at, len(t.slots), used, dead, d.used[at], d.dead[at])
		}
	}
	return nil
}
