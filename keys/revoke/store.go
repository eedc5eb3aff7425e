package revoke

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"sallyport/verify"
)

// ErrClosed says that the store is not the one in force any more.
var ErrClosed = errors.New("revoke: the store is closed")

var (
	bucketRules = []byte("rules") // ID → JSON
	bucketEnds  = []byte("ends")  // end, 8 octets big-endian, and ID → nothing; of rules that have an end
)

// Store keeps rules in a file and has them in force in a Denylist.
type Store struct {
	path string
	db   *bolt.DB
	deny *verify.Denylist

	added atomic.Uint64

	queueMu sync.Mutex
	queue   []*op // writes that wait for the next transaction; guarded by queueMu

	write  sync.Mutex // of who runs a transaction; guards what follows
	sealed bool
}

// An op is a write, one of those that a transaction, and with it one sync, is for.
type op struct {
	apply func(rules, ends *bolt.Bucket) error
	err   error
	done  bool
}

// lockTimeout is how long Open waits for another process to let go of the file.
const lockTimeout = time.Second

// Open opens the file at path, or makes it, and puts its rules in force.
func Open(path string) (s *Store, err error) {
	defer func() {
		// bbolt panics on pages that make no sense.
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("revoke: cannot open %q: the file is damaged: %v", path, p)
		}
	}()
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("revoke: cannot open %q: it is not a file", path)
	case err == nil && info.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("revoke: cannot open %q: others may write to it (mode %#o): chmod 600", path, info.Mode().Perm())
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = errors.New("another process has it open")
	}
	if err != nil {
		return nil, fmt.Errorf("revoke: cannot open %q: %w", path, err)
	}
	s = &Store{path: path, db: db, deny: verify.NewDenylist()}
	if err := s.load(); err != nil {
		db.Close()
		return nil, fmt.Errorf("revoke: cannot read %q: %w", path, err)
	}
	return s, nil
}

// load makes the buckets, makes sure that a new file is in its folder for good, and puts the rules in force.
func (s *Store) load() error {
	if err := s.db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucketRules)
		_, err2 := tx.CreateBucketIfNotExists(bucketEnds)
		return errors.Join(err, err2)
	}); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return err
	}
	return s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketRules).ForEach(func(k, v []byte) error {
			var r Rule
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("rule %x: %w", k, err)
			}
			return s.deny.Add(&r.Rule)
		})
	})
}

// Path returns the file's path.
func (s *Store) Path() string { return s.path }

// Denylist returns what has the rules in force.
func (s *Store) Denylist() *verify.Denylist { return s.deny }

// Len returns the number of rules, and Added how many were added since Open.
func (s *Store) Len() int { return s.deny.Len() }

// Added returns how many rules were added since Open.
func (s *Store) Added() uint64 { return s.added.Load() }

// Add gives r an ID, puts it in force and writes it to the file. When it returns nil the file has been synced. An error changes
// nothing; a *BadRule says that the rule is why.
func (s *Store) Add(r *Rule) error {
	rand.Read(r.ID[:]) // never fails
	// In force first, so that it is so when the file has it, whoever else looks.
	if err := s.deny.Add(&r.Rule); err != nil {
		return bad("%v", err)
	}
	text, err := r.MarshalJSON()
	if err == nil {
		err = s.commit(func(rules, ends *bolt.Bucket) error {
			if err := rules.Put(r.ID[:], text); err != nil || r.Until == verify.Never {
				return err
			}
			return ends.Put(endKey(r), nil)
		})
	}
	if err != nil {
		s.deny.Remove(r.ID)
		return fmt.Errorf("revoke: cannot keep the rule: %w", err)
	}
	s.added.Add(1)
	return nil
}

func endKey(r *Rule) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(r.Until)), r.ID[:]...)
}

// Remove takes a rule out of the file and then out of force, and reports whether it was there.
func (s *Store) Remove(id verify.RuleID) (bool, error) {
	err := s.commit(func(rules, ends *bolt.Bucket) error { return remove(rules, ends, id) })
	if err != nil {
		return false, fmt.Errorf("revoke: cannot remove the rule: %w", err)
	}
	return s.deny.Remove(id), nil
}

func remove(rules, ends *bolt.Bucket, id verify.RuleID) error {
	text := rules.Get(id[:])
	if text == nil {
		return nil
	}
	var r Rule
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	return errors.Join(ends.Delete(endKey(&r)), rules.Delete(id[:]))
}

// commit runs apply in a transaction with all others that wait, and returns once it is synced.
func (s *Store) commit(apply func(rules, ends *bolt.Bucket) error) error {
	o := &op{apply: apply}
	s.queueMu.Lock()
	s.queue = append(s.queue, o)
	s.queueMu.Unlock()

	s.write.Lock()
	defer s.write.Unlock()
	if o.done {
		return o.err // somebody took it along
	}
	s.queueMu.Lock()
	ops := s.queue
	s.queue = nil
	s.queueMu.Unlock()
	err := ErrClosed
	if !s.sealed {
		err = s.db.Update(func(tx *bolt.Tx) error {
			for _, o := range ops {
				if err := o.apply(tx.Bucket(bucketRules), tx.Bucket(bucketEnds)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, o := range ops {
		o.err, o.done = err, true
	}
	return o.err
}

func (s *Store) view(f func(tx *bolt.Tx) error) error {
	err := s.db.View(f)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		err = ErrClosed
	}
	return err
}

// Get returns a rule, nil when there is none.
func (s *Store) Get(id verify.RuleID) (r *Rule, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		text := tx.Bucket(bucketRules).Get(id[:])
		if text == nil {
			return nil
		}
		r = new(Rule)
		return json.Unmarshal(text, r)
	})
	return r, err
}

// List returns up to limit rules by rising ID, beginning behind after, and whether there are more. The zero ID is before all others.
func (s *Store) List(after verify.RuleID, limit int) (list []*Rule, more bool, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketRules).Cursor()
		k, v := c.Seek(after[:])
		if string(k) == string(after[:]) {
			k, v = c.Next()
		}
		for ; k != nil; k, v = c.Next() {
			if len(list) == limit {
				more = true
				return nil
			}
			r := new(Rule)
			if err := json.Unmarshal(v, r); err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	return list, more, err
}

// sweepAtOnce is how many rules one transaction of Sweep takes out.
const sweepAtOnce = 1000

// Sweep takes out the rules that have ended, and returns how many.
func (s *Store) Sweep(now int64) (n int, err error) {
	for {
		var gone []verify.RuleID
		err := s.view(func(tx *bolt.Tx) error {
			c := tx.Bucket(bucketEnds).Cursor()
			for k, _ := c.First(); k != nil && int64(binary.BigEndian.Uint64(k)) <= now && len(gone) < sweepAtOnce; k, _ = c.Next() {
				gone = append(gone, verify.RuleID(k[8:]))
			}
			return nil
		})
		if err != nil || len(gone) == 0 {
			return n, err
		}
		if err := s.commit(func(rules, ends *bolt.Bucket) error {
			for _, id := range gone {
				if err := remove(rules, ends, id); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return n, err
		}
		for _, id := range gone {
			s.deny.Remove(id)
		}
		n += len(gone)
	}
}

// Seal has every later write fail with ErrClosed, once those under way have ended. What is in force stays so.
func (s *Store) Seal() {
	s.write.Lock()
	s.sealed = true
	s.write.Unlock()
}

// Close seals the store and closes the file.
func (s *Store) Close() error {
	s.Seal()
	return s.db.Close()
}
