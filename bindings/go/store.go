package kvc

import (
	"time"
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// Put stores a copy of a tensor of 1..8 dimensions under a key of 1..4096 bytes. tenant "" is the default one.
func (e *Engine) Put(tenant string, key []byte, tensor Tensor) error {
	t, err := optional(tenant)
	if err != nil {
		return err
	}
	c, err := tensor.c()
	if err != nil {
		return err
	}
	return e.check(ffi.KvcPut(e.raw, t, keyOf(key), uintptr(len(key)), &c))
}

// GetInto copies what is stored under a key into a tensor of its shape and type; false if nothing is.
func (e *Engine) GetInto(tenant string, key []byte, tensor Tensor) (bool, error) {
	t, err := optional(tenant)
	if err != nil {
		return false, err
	}
	c, err := tensor.c()
	if err != nil {
		return false, err
	}
	var found int32
	err = e.check(ffi.KvcGet(e.raw, t, keyOf(key), uintptr(len(key)), &c, &found))
	return found != 0, err
}

// Get gives the numbers and the shape of what is stored under a key; a nil shape if nothing is.
func Get[T Element](e *Engine, tenant string, key []byte) ([]T, []int, error) {
	t, err := optional(tenant)
	if err != nil {
		return nil, nil, err
	}
	for {
		var c ffi.KvcTensorT
		c.StructSize = unsafe.Sizeof(c)
		var found int32
		if err := e.check(ffi.KvcGet(e.raw, t, keyOf(key), uintptr(len(key)), &c, &found)); err != nil || found == 0 {
			return nil, nil, err
		}
		n, shape := 1, []int{}
		for _, size := range c.Shape[:c.NDims] {
			n, shape = n*int(size), append(shape, int(size))
		}
		if DType(c.Dtype) != dtypeOf[T]() {
			return nil, nil, failure(ErrDtype, "what is stored has dtype %d, asked for was %d", c.Dtype, dtypeOf[T]())
		}
		data := make([]T, n)
		got, err := e.GetInto(tenant, key, Of(data, shape...))
		if code := StatusOf(err); code == ErrShape || code == ErrDtype {
			continue // another goroutine stored a tensor of another shape meanwhile
		}
		if err != nil || !got {
			return nil, nil, err
		}
		return data, shape, nil
	}
}

// Contains tells whether a key is stored; no use of it.
func (e *Engine) Contains(tenant string, key []byte) (bool, error) {
	t, err := optional(tenant)
	if err != nil {
		return false, err
	}
	var found int32
	if status := ffi.KvcContains(e.raw, t, keyOf(key), uintptr(len(key)), &found); status < 0 {
		return false, e.check(status)
	}
	return found != 0, nil
}

// Remove removes a key; true if it was stored.
func (e *Engine) Remove(tenant string, key []byte) (bool, error) {
	t, err := optional(tenant)
	if err != nil {
		return false, err
	}
	var removed int32
	err = e.check(ffi.KvcRemove(e.raw, t, keyOf(key), uintptr(len(key)), &removed))
	return removed != 0, err
}

// Pages lists the pages held now, parents before children. tenant "" is all of them.
func (e *Engine) Pages(tenant string) ([]PageInfo, error) {
	t, err := optional(tenant)
	if err != nil {
		return nil, err
	}
	var iter uintptr
	if err := e.check(ffi.KvcPageIterOpen(e.raw, t, &iter)); err != nil {
		return nil, err
	}
	defer ffi.KvcPageIterClose(iter)
	pages := []PageInfo{}
	for {
		var info ffi.KvcPageInfoT
		info.StructSize = unsafe.Sizeof(info)
		status := ffi.KvcPageIterNext(iter, &info)
		if Status(status) == End {
			return pages, nil
		}
		if err := e.check(status); err != nil {
			return nil, err
		}
		pages = append(pages, newPageInfo(&info))
	}
}

// PageInfo describes the page with this identity.
func (e *Engine) PageInfo(id [32]byte) (PageInfo, error) {
	var info ffi.KvcPageInfoT
	info.StructSize = unsafe.Sizeof(info)
	err := e.check(ffi.KvcPageInfo(e.raw, &id[0], &info))
	return newPageInfo(&info), err
}

// PageTokens are the tokens of a page.
func (e *Engine) PageTokens(id [32]byte) ([]int32, error) {
	tokens := make([]int32, 256)
	for {
		var n uintptr
		status := ffi.KvcPageTokens(e.raw, &id[0], &tokens[0], uintptr(len(tokens)), &n)
		if Status(status) == ErrBuffer {
			tokens = make([]int32, n)
			continue
		}
		if err := e.check(status); err != nil {
			return nil, err
		}
		return tokens[:n], nil
	}
}

// Persist, with option disk_path, makes everything sealed durable; false if that goes on in the background after the timeout.
// A negative timeout waits for ever.
func (e *Engine) Persist(timeout time.Duration) (bool, error) {
	ns := ^uint64(0)
	if timeout >= 0 {
		ns = uint64(timeout)
	}
	status := ffi.KvcPersist(e.raw, ns)
	return Status(status) == OK, e.check(status)
}

// PersistTo copies the pages in memory into a directory of their own; the number of records in it. tenant "" is all of them.
func (e *Engine) PersistTo(path, tenant string) (uint64, error) {
	t, err := optional(tenant)
	if err != nil {
		return 0, err
	}
	return e.records(path, func(p *byte, n *uint64) int32 { return ffi.KvcPersistTo(e.raw, t, p, n) })
}

// LoadPages lets the pages of a directory be found; their number.
func (e *Engine) LoadPages(path string) (uint64, error) {
	return e.records(path, func(p *byte, n *uint64) int32 { return ffi.KvcLoad(e.raw, p, n) })
}

// OpenPack lets the pages of a prefix pack be found; their number.
func (e *Engine) OpenPack(path string) (uint64, error) {
	return e.records(path, func(p *byte, n *uint64) int32 { return ffi.KvcPackOpen(e.raw, p, n) })
}

// Purge removes what is kept of a tenant, in memory and on disk; the number of pages, tensors and records.
func (e *Engine) Purge(tenant string) (uint64, error) {
	t, err := optional(tenant)
	if err != nil {
		return 0, err
	}
	var n uint64
	err = e.check(ffi.KvcTenantPurge(e.raw, t, &n))
	return n, err
}

func (e *Engine) records(path string, call func(*byte, *uint64) int32) (uint64, error) {
	p, err := cstring(path)
	if err != nil {
		return 0, err
	}
	var n uint64
	err = e.check(call(p, &n))
	return n, err
}

// keyOf is never nil: an empty key is refused by kvc for its length, in its words.
func keyOf(key []byte) unsafe.Pointer {
	if len(key) == 0 {
		return unsafe.Pointer(&noKey)
	}
	return bytesOf(key)
}

var noKey byte
