package kvc

import (
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// Rope is rotary position embedding. FreqScale 0 means 1, Scaling "" means "none".
type Rope struct {
	Base, FreqScale                        float64
	Scaling                                string
	Factor, AttnFactor, BetaFast, BetaSlow float64
	Dims, OriginalContext                  uint32
	Interleaved                            bool // pairs (2i, 2i+1) instead of (i, i + dims/2)
	Before                                 bool // keys come in before RoPE; false: after
}

// Adapter is an active adapter (LoRA), by the digest of its weights.
type Adapter struct {
	Digest []byte
	Scale  float64
}

// SpaceDesc is the identity and layout of a model's K/V. A part that is neither given nor said to be absent (None) is an error, so
// what was forgotten cannot turn into a wrong hit.
type SpaceDesc struct {
	Label      string // for messages; no part of the identity
	Weights    []byte // digest of the content, 1..64 bytes
	Tokenizer  []byte // digest of the content, 1..64 bytes
	Rope       *Rope
	Adapters   []Adapter
	Attention  string // other options that K/V depends on
	None       Absent // which of these the model has not
	Layers     uint32
	KVHeads    uint32 // 0: the engine's option num_heads
	KHeadDim   uint32 // 0: the engine's option head_dim
	VHeadDim   uint32 // 0: KHeadDim
	DType      DType  // 0: F32
	PageTokens uint32 // 0: the engine's option page_tokens
	VocabSize  int32  // 0: unknown
}

// c is the C form; everything it points to is kept by it.
func (d *SpaceDesc) c() (*ffi.KvcSpaceDescT, error) {
	c := &ffi.KvcSpaceDescT{}
	c.StructSize = unsafe.Sizeof(*c)
	if err := check(ffi.KvcSpaceDescInit(c, c.StructSize), nil, 0); err != nil {
		return nil, err
	}
	label, err := optional(d.Label)
	if err != nil {
		return nil, err
	}
	attention, err := optional(d.Attention)
	if err != nil {
		return nil, err
	}
	c.Label, c.Attention = unsafe.Pointer(label), unsafe.Pointer(attention)
	c.WeightsDigest, c.WeightsDigestSize = bytesOf(d.Weights), uintptr(len(d.Weights))
	c.TokenizerDigest, c.TokenizerDigestSize = bytesOf(d.Tokenizer), uintptr(len(d.Tokenizer))
	if d.Rope != nil {
		rope := &ffi.KvcRopeT{Base: d.Rope.Base, FreqScale: d.Rope.FreqScale, Factor: d.Rope.Factor, AttnFactor: d.Rope.AttnFactor,
			BetaFast: d.Rope.BetaFast, BetaSlow: d.Rope.BetaSlow, Dims: d.Rope.Dims, OriginalContext: d.Rope.OriginalContext,
			Interleaved: flag(d.Rope.Interleaved), Applied: flag(!d.Rope.Before)}
		rope.StructSize = unsafe.Sizeof(*rope)
		if rope.FreqScale == 0 {
			rope.FreqScale = 1
		}
		scaling, err := optional(d.Rope.Scaling)
		if err != nil {
			return nil, err
		}
		rope.Scaling, c.Rope = unsafe.Pointer(scaling), unsafe.Pointer(rope)
	}
	adapters := make([]ffi.KvcAdapterT, len(d.Adapters))
	for i, a := range d.Adapters {
		adapters[i] = ffi.KvcAdapterT{StructSize: unsafe.Sizeof(adapters[i]), Digest: bytesOf(a.Digest), DigestSize: uintptr(len(a.Digest)), Scale: a.Scale}
	}
	c.Adapters, c.NAdapters, c.None = unsafe.Pointer(first(adapters)), uint32(len(adapters)), uint32(d.None)
	c.NLayers, c.NKvHeads, c.KHeadDim, c.VHeadDim = d.Layers, d.KVHeads, d.KHeadDim, d.VHeadDim
	c.Dtype, c.PageTokens, c.VocabSize = int32(d.DType), d.PageTokens, d.VocabSize
	if d.DType == 0 {
		c.Dtype = int32(F32)
	}
	return c, nil
}

func flag(yes bool) int32 {
	if yes {
		return 1
	}
	return 0
}

// Space is the identity of one model's K/V. Two spaces with any difference never share a page.
type Space struct {
	handle
	engine *Engine
}

func newSpace(raw uintptr, engine *Engine) *Space {
	s := &Space{engine: engine}
	own(s, &s.handle, raw, ffi.KvcSpaceClose)
	return s
}

func (s *Space) check(status int32) error { return s.engine.check(status) }

// Close closes it; its sessions and pages stay.
func (s *Space) Close() error {
	s.closer.close()
	return nil
}

// Info is its layout as resolved, and its digest.
func (s *Space) Info() (SpaceInfo, error) {
	var info ffi.KvcSpaceInfoT
	info.StructSize = unsafe.Sizeof(info)
	err := s.check(ffi.KvcSpaceInfo(s.raw, &info))
	return newSpaceInfo(&info), err
}

// Diff says in what two spaces differ; "" if in nothing.
func (s *Space) Diff(other *Space) (string, error) {
	return written(func(buffer *byte, capacity uintptr, length *uintptr) error {
		return s.check(ffi.KvcSpaceDiff(s.raw, other.raw, buffer, capacity, length))
	})
}

// PageIDs are the identities of the whole pages of a token sequence.
func (s *Space) PageIDs(tenant string, tokens []int32) ([][32]byte, error) {
	t, err := optional(tenant)
	if err != nil {
		return nil, err
	}
	ids := make([][32]byte, 64)
	for {
		var n uintptr
		status := ffi.KvcSpacePageIds(s.raw, t, first(tokens), uintptr(len(tokens)), &ids[0][0], uintptr(len(ids)), &n)
		if Status(status) == ErrBuffer {
			ids = make([][32]byte, n)
			continue
		}
		if err := s.check(status); err != nil {
			return nil, err
		}
		return ids[:n], nil
	}
}

// PackWrite writes the stored prefix of tokens into a prefix pack, one file to ship with an application; the number of tokens in it.
func (s *Space) PackWrite(path, tenant string, tokens []int32) (int, error) {
	p, err := cstring(path)
	if err != nil {
		return 0, err
	}
	t, err := optional(tenant)
	if err != nil {
		return 0, err
	}
	var n uintptr
	err = s.check(ffi.KvcPackWrite(s.raw, t, first(tokens), uintptr(len(tokens)), p, &n))
	return int(n), err
}

// SessionOptions are of a session to be opened.
type SessionOptions struct {
	Tenant    string // security domain
	SessionID string // for messages and statistics
	Priority  Priority
	NoPublish bool // pages stay private to the session and its forks
	Exact     bool // finds no approximate pages, and keeps its own in the clear
	NoAged    bool // finds no pages that were encoded again at rest
}

// OpenSession opens an empty session. options may be nil.
func (s *Space) OpenSession(options *SessionOptions) (*Session, error) {
	var c ffi.KvcSessionOptionsT
	c.StructSize = unsafe.Sizeof(c)
	if options != nil {
		tenant, err := optional(options.Tenant)
		if err != nil {
			return nil, err
		}
		id, err := optional(options.SessionID)
		if err != nil {
			return nil, err
		}
		c.Tenant, c.SessionId, c.Priority = unsafe.Pointer(tenant), unsafe.Pointer(id), int32(options.Priority)
		c.NoPublish, c.Exact = uint32(flag(options.NoPublish)), uint32(flag(options.Exact))
		c.NoAged = uint32(flag(options.NoAged))
	}
	var raw uintptr
	if err := s.check(ffi.KvcSessionOpen(s.raw, &c, &raw)); err != nil {
		return nil, err
	}
	return newSession(raw, s.engine), nil
}
