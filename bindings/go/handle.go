package kvc

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// handle owns a C handle. kvc checks every handle, so a call after close fails as it should.
type handle struct {
	raw    uintptr
	closer *closer
}

type closer struct {
	once    sync.Once
	raw     uintptr
	release func(uintptr)
}

func (c *closer) close() { c.once.Do(func() { c.release(c.raw) }) }

// own ties a C handle to a Go object: whoever forgets Close leaves it to the collector. release must not refer to the object.
func own[T any](object *T, h *handle, raw uintptr, release func(uintptr)) {
	h.raw, h.closer = raw, &closer{raw: raw, release: release}
	runtime.AddCleanup(object, (*closer).close, h.closer)
}

// registry finds Go objects by the numbers that C hands back as user_data.
type registry struct {
	objects sync.Map
	last    atomic.Uint64
}

var callbacks registry

// entry is one object that kvc may call, used by the configurations and engines that have it.
type entry struct {
	number uintptr
	users  atomic.Int32
}

func (r *registry) add(object any) *entry {
	e := &entry{number: uintptr(r.last.Add(1))}
	e.users.Store(1)
	r.objects.Store(e.number, object)
	return e
}

func (r *registry) drop(e *entry) {
	if e != nil && e.users.Add(-1) == 0 {
		r.objects.Delete(e.number)
	}
}

// find gives the object of a number, if it is still there.
func find[T any](number uintptr) (T, bool) {
	object, _ := callbacks.objects.Load(number)
	found, ok := object.(T)
	return found, ok
}
