package kvc

import (
	"encoding/json"
	"fmt"
	"sync"
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// Config is a set of options by name, and what else an engine can be given.
type Config struct {
	handle
	mutex   sync.Mutex
	entries map[string]*entry
}

// NewConfig makes a configuration from a preset: "seamless" (also for ""), "adaptive", "high_performance", "memory_efficient",
// "bulk_optimized".
func NewConfig(preset string) (*Config, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	text, err := optional(preset)
	if err != nil {
		return nil, err
	}
	var raw uintptr
	if err := check(ffi.KvcConfigCreate(text, &raw), nil, 0); err != nil {
		return nil, err
	}
	c := &Config{entries: map[string]*entry{}}
	entries := c.entries
	own(c, &c.handle, raw, func(raw uintptr) {
		ffi.KvcConfigDestroy(raw)
		for _, e := range entries {
			callbacks.drop(e)
		}
	})
	return c, nil
}

// Close releases it; engines made from it stay.
func (c *Config) Close() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.closer.close()
	return nil
}

func (c *Config) check(status int32) error { return check(status, ffi.KvcConfigLastError, c.raw) }

// Set sets an option; the value may be text ("512MiB"), a number, a bool or a time.Duration.
func (c *Config) Set(key string, value any) error {
	k, err := cstring(key)
	if err != nil {
		return err
	}
	v, err := cstring(fmt.Sprint(value))
	if err != nil {
		return err
	}
	return c.check(ffi.KvcConfigSet(c.raw, k, v))
}

// Get reads an option.
func (c *Config) Get(key string) (string, error) {
	k, err := cstring(key)
	if err != nil {
		return "", err
	}
	return written(func(buffer *byte, capacity uintptr, length *uintptr) error {
		return c.check(ffi.KvcConfigGet(c.raw, k, buffer, capacity, length))
	})
}

// LoadSettings sets the options that the engine of a directory (option disk_path) had, but secrets. key: its option disk_key.
func (c *Config) LoadSettings(path, key string) error {
	p, err := cstring(path)
	if err != nil {
		return err
	}
	k, err := optional(key)
	if err != nil {
		return err
	}
	return c.check(ffi.KvcConfigLoad(c.raw, p, k))
}

// SetBackend gives engines a model; nil takes it back.
func (c *Config) SetBackend(backend Backend) error {
	if backend == nil {
		return c.give("backend", nil, func(uintptr) int32 { return ffi.KvcConfigSetBackend(c.raw, nil) })
	}
	return c.give("backend", &running{backend: backend}, func(number uintptr) int32 {
		table := tableOf(backend, number)
		return ffi.KvcConfigSetBackend(c.raw, &table)
	})
}

// SetLogger has lines up to a level told; nil takes it back. Called from any goroutine that uses the engine, and from its threads.
func (c *Config) SetLogger(level LogLevel, log func(level LogLevel, message string)) error {
	if log == nil {
		return c.give("logger", nil, func(uintptr) int32 { return ffi.KvcConfigSetLogger(c.raw, nil) })
	}
	return c.give("logger", log, func(number uintptr) int32 {
		table := ffi.KvcLoggerT{UserData: number, Level: int32(level), Log: onLog()}
		table.StructSize = unsafe.Sizeof(table)
		return ffi.KvcConfigSetLogger(c.raw, &table)
	})
}

// SetClock gives engines their only source of time, in nanoseconds; it must never go backwards. nil takes it back.
func (c *Config) SetClock(nowNs func() uint64) error {
	if nowNs == nil {
		return c.give("clock", nil, func(uintptr) int32 { return ffi.KvcConfigSetClock(c.raw, nil) })
	}
	return c.give("clock", nowNs, func(number uintptr) int32 {
		table := ffi.KvcClockT{UserData: number, NowNs: onNow()}
		table.StructSize = unsafe.Sizeof(table)
		return ffi.KvcConfigSetClock(c.raw, &table)
	})
}

// Allocator is where an engine's pages and their metadata come from. Addresses are of memory outside of Go's heap.
type Allocator interface {
	Allocate(size, alignment uintptr) unsafe.Pointer // nil: no memory
	Release(pointer unsafe.Pointer, size, alignment uintptr)
}

// SetAllocator gives engines an allocator; nil takes it back. It is called from any thread and must not call kvc.
func (c *Config) SetAllocator(allocator Allocator) error {
	if allocator == nil {
		return c.give("allocator", nil, func(uintptr) int32 { return ffi.KvcConfigSetAllocator(c.raw, nil) })
	}
	return c.give("allocator", allocator, func(number uintptr) int32 {
		table := ffi.KvcAllocatorT{UserData: number, Allocate: onAllocate(), Release: onRelease()}
		table.StructSize = unsafe.Sizeof(table)
		return ffi.KvcConfigSetAllocator(c.raw, &table)
	})
}

func (c *Config) give(name string, object any, set func(number uintptr) int32) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var fresh *entry
	number := uintptr(0)
	if object != nil {
		fresh = callbacks.add(object)
		number = fresh.number
	}
	if err := c.check(set(number)); err != nil {
		callbacks.drop(fresh)
		return err
	}
	callbacks.drop(c.entries[name])
	if delete(c.entries, name); fresh != nil {
		c.entries[name] = fresh
	}
	return nil
}

// shared takes the entries for an engine made from this configuration.
func (c *Config) shared() []*entry {
	var taken []*entry
	for _, e := range c.entries {
		e.users.Add(1)
		taken = append(taken, e)
	}
	return taken
}

// Options describes every option there is.
func Options() ([]OptionInfo, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	var found []OptionInfo
	for i := uint32(0); i < ffi.KvcOptionCount(); i++ {
		var info ffi.KvcOptionInfoT
		info.StructSize = unsafe.Sizeof(info)
		if err := check(ffi.KvcOptionInfo(i, &info), nil, 0); err != nil {
			return nil, err
		}
		found = append(found, newOptionInfo(&info))
	}
	return found, nil
}

// ModuleInfo says what the module of model files works with on this machine, or why it cannot. c may be nil.
func ModuleInfo(c *Config) (map[string]any, error) {
	if err := Load(""); err != nil {
		return nil, err
	}
	raw := uintptr(0)
	if c != nil {
		raw = c.raw
	}
	text, err := written(func(buffer *byte, capacity uintptr, length *uintptr) error {
		return check(ffi.KvcModuleInfo(raw, buffer, capacity, length), nil, 0)
	})
	return object(text, err)
}

func object(text string, err error) (map[string]any, error) {
	if err != nil {
		return nil, err
	}
	var found map[string]any
	return found, json.Unmarshal([]byte(text), &found)
}
