package verify

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Tables of multiples of keys take memory, and are built only while all of them together stay below a bound.
var tableBytes, maxTableBytes atomic.Int64

// SetTableBytes bounds the memory of all keys' tables. A key that finds no room stays with the standard library.
func SetTableBytes(n int64) { maxTableBytes.Store(n) }

// TableBytes returns how much the tables take.
func TableBytes() int64 { return tableBytes.Load() }

// maxTable is what no table of a key exceeds, in bytes.
const maxTable = 512 << 10

// A keyTable is the table of one key: absent until it is built, and for good when there was no room.
type keyTable[T any] struct {
	once  sync.Once
	table atomic.Pointer[T]
}

// load returns the table, nil when there is none.
func (k *keyTable[T]) load() *T { return k.table.Load() }

// build makes the table with make, once, if there is room for it; size tells what it takes. Its memory is off the books when the
// keyTable is gone.
func (k *keyTable[T]) build(make func() (*T, error), size func(*T) int) {
	k.once.Do(func() {
		if tableBytes.Add(maxTable) > maxTableBytes.Load() {
			tableBytes.Add(-maxTable)
			return
		}
		t, err := make()
		if err != nil {
			tableBytes.Add(-maxTable)
			return // the key was checked before, so this is a bug; the standard library goes on
		}
		n := int64(size(t))
		tableBytes.Add(n - maxTable)
		runtime.AddCleanup(k, func(n int64) { tableBytes.Add(-n) }, n)
		k.table.Store(t)
	})
}
