package kvc

import (
	"runtime"
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// Engine is a cache, its memory, and requests around a model.
type Engine struct {
	handle
}

// Option is one thing that New sets.
type Option func(*Config) error

// With sets an option by name: kvc.With("memory", "512MiB").
func With(key string, value any) Option { return func(c *Config) error { return c.Set(key, value) } }

// WithBackend gives the engine a model.
func WithBackend(backend Backend) Option {
	return func(c *Config) error { return c.SetBackend(backend) }
}

// New makes an engine from the preset "seamless" and options.
func New(options ...Option) (*Engine, error) {
	config, err := NewConfig("")
	if err != nil {
		return nil, err
	}
	defer config.Close()
	for _, option := range options {
		if err := option(config); err != nil {
			return nil, err
		}
	}
	return NewEngine(config)
}

// NewEngine makes an engine from a configuration, which is copied.
func NewEngine(config *Config) (*Engine, error) {
	config.mutex.Lock()
	defer config.mutex.Unlock()
	var raw uintptr
	failed := ffi.KvcErrorT{StructSize: unsafe.Sizeof(ffi.KvcErrorT{})}
	if status := ffi.KvcEngineCreateWithError(config.raw, &raw, &failed); status < 0 {
		return nil, failure(Status(status), "%s", fromChars(failed.Message[:]))
	}
	e := &Engine{}
	entries := config.shared()
	own(e, &e.handle, raw, func(raw uintptr) {
		ffi.KvcEngineDestroy(raw)
		for _, entry := range entries {
			callbacks.drop(entry)
		}
	})
	return e, nil
}

func (e *Engine) check(status int32) error {
	err := check(status, ffi.KvcEngineLastError, e.raw)
	runtime.KeepAlive(e)
	return err
}

// Close ends it: what waits or runs is cancelled, calls in progress end, and its spaces and sessions are closed.
func (e *Engine) Close() error {
	e.closer.close()
	return nil
}

// Poll lists tickets that completed since the last call, without waiting.
func (e *Engine) Poll() ([]uint64, error) {
	tickets, n := make([]uint64, 64), uintptr(0)
	err := e.check(ffi.KvcPoll(e.raw, &tickets[0], uintptr(len(tickets)), &n))
	return tickets[:n], err
}

// Step, with option threads=0, is one step on this thread; true if there is more to do.
func (e *Engine) Step() (bool, error) {
	var busy int32
	err := e.check(ffi.KvcStep(e.raw, &busy))
	return busy != 0, err
}

// Message is one message of a conversation.
type Message struct{ Role, Content string }

// ChatText is a conversation as the text of a prompt, in the model's own form. answer: it ends where the model's answer begins.
func (e *Engine) ChatText(messages []Message, answer bool) (string, error) {
	cs := make([]ffi.KvcMessageT, len(messages))
	for i, m := range messages {
		role, err := cstring(m.Role)
		if err != nil {
			return "", err
		}
		content, err := cstring(m.Content)
		if err != nil {
			return "", err
		}
		cs[i] = ffi.KvcMessageT{StructSize: unsafe.Sizeof(cs[i]), Role: unsafe.Pointer(role), Content: unsafe.Pointer(content)}
	}
	return written(func(buffer *byte, capacity uintptr, length *uintptr) error {
		return e.check(ffi.KvcChatText(e.raw, first(cs), uintptr(len(cs)), flag(answer), buffer, capacity, length))
	})
}

// Tokenize makes tokens of text, without the bos that a request puts before it.
func (e *Engine) Tokenize(text string) ([]int32, error) {
	raw := append([]byte(text), 0)
	tokens := make([]int32, len(text)+8)
	for {
		var n uintptr
		status := ffi.KvcTokenize(e.raw, &raw[0], uintptr(len(text)), &tokens[0], uintptr(len(tokens)), &n)
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

// Detokenize makes text of tokens.
func (e *Engine) Detokenize(tokens []int32) (string, error) {
	return written(func(buffer *byte, capacity uintptr, length *uintptr) error {
		return e.check(ffi.KvcDetokenize(e.raw, first(tokens), uintptr(len(tokens)), buffer, capacity, length))
	})
}

// OpenSpace opens the space of an identity.
func (e *Engine) OpenSpace(desc SpaceDesc) (*Space, error) {
	c, err := desc.c()
	if err != nil {
		return nil, err
	}
	var raw uintptr
	if err := e.check(ffi.KvcSpaceOpen(e.raw, c, &raw)); err != nil {
		return nil, err
	}
	return newSpace(raw, e), nil
}

// Space opens the space of the engine's own model.
func (e *Engine) Space() (*Space, error) {
	var raw uintptr
	if err := e.check(ffi.KvcEngineSpace(e.raw, &raw)); err != nil {
		return nil, err
	}
	return newSpace(raw, e), nil
}

// Stats are the statistics of now.
func (e *Engine) Stats() (Stats, error) {
	var stats ffi.KvcStatsT
	stats.StructSize = unsafe.Sizeof(stats)
	err := e.check(ffi.KvcStats(e.raw, &stats))
	return newStats(&stats), err
}

// Info says what the engine is made of.
func (e *Engine) Info() (map[string]any, error) {
	return object(written(func(buffer *byte, capacity uintptr, length *uintptr) error {
		return e.check(ffi.KvcEngineInfo(e.raw, buffer, capacity, length))
	}))
}

// Trim evicts until at most so many bytes are used; the bytes given back.
func (e *Engine) Trim(bytes uint64) (uint64, error) {
	var freed uint64
	err := e.check(ffi.KvcTrim(e.raw, bytes, &freed))
	return freed, err
}

// Whatif says what another budget in bytes (0: the engine's own) and policy ("": its own) would have hit over the sessions so far.
func (e *Engine) Whatif(budget uint64, policy string) (Whatif, error) {
	p, err := optional(policy)
	if err != nil {
		return Whatif{}, err
	}
	var result ffi.KvcWhatifT
	result.StructSize = unsafe.Sizeof(result)
	err = e.check(ffi.KvcWhatif(e.raw, budget, p, &result))
	return newWhatif(&result), err
}

// Metrics is what an application knows of its model and wants of its cache.
type Metrics struct {
	Objective        Objective
	PrefillSpeed     float64 // tokens per second at the beginning of a sequence; 0: not known
	BalancedPosition float64 // where attention costs a token as much as all else; 0: as in a model of 8 billion parameters
}

// Adapt tells the policy what to go for, and what prefill costs.
func (e *Engine) Adapt(metrics Metrics) error {
	c := ffi.KvcMetricsT{Objective: int32(metrics.Objective), PrefillSpeed: metrics.PrefillSpeed, BalancedPosition: metrics.BalancedPosition}
	c.StructSize = unsafe.Sizeof(c)
	return e.check(ffi.KvcAdapt(e.raw, &c))
}

// TraceStart writes a line per session that closes to a file, for kvc replay; pages are in it as digests.
func (e *Engine) TraceStart(path string) error {
	p, err := cstring(path)
	if err != nil {
		return err
	}
	return e.check(ffi.KvcTraceStart(e.raw, p))
}

// TraceStop ends the trace; the number of sessions in it.
func (e *Engine) TraceStop() (uint64, error) {
	var n uint64
	err := e.check(ffi.KvcTraceStop(e.raw, &n))
	return n, err
}
