package kvc

import (
	"runtime"
	"time"
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// SessionView is a session that somebody else owns: what a Backend finds in a Forward, for the time of that call.
type SessionView struct {
	handle
}

// Session is a token sequence that is being extended. While it is open, its pages are not evicted.
type Session struct {
	SessionView
	engine *Engine
}

func newSession(raw uintptr, engine *Engine) *Session {
	s := &Session{engine: engine}
	own(s, &s.handle, raw, func(raw uintptr) { ffi.KvcSessionClose(raw, int32(CloseHintKeep), 0) })
	return s
}

func (s *SessionView) check(status int32) error {
	err := check(status, ffi.KvcSessionLastError, s.raw)
	runtime.KeepAlive(s)
	return err
}

// Close closes it and leaves its tokens behind to be found.
func (s *Session) Close() error {
	s.closer.close()
	return nil
}

// CloseWith also says what becomes of it; in is the time after which a CloseHintIdle session is expected back.
func (s *Session) CloseWith(hint CloseHint, in time.Duration) error {
	status := ffi.KvcSessionClose(s.raw, int32(hint), uint64(in))
	if Status(status) == ErrClosed {
		return nil
	}
	if err := s.check(status); err != nil {
		return err
	}
	s.closer.once.Do(func() {})
	return nil
}

// Match attaches the longest stored prefix of tokens; the session's length afterwards, that is the number of tokens that need not be
// computed.
func (s *SessionView) Match(tokens []int32) (int, error) {
	var reused uintptr
	err := s.check(ffi.KvcSessionMatch(s.raw, first(tokens), uintptr(len(tokens)), &reused))
	return int(reused), err
}

// Miss says why the last Match found no more.
func (s *SessionView) Miss() (MissReason, string, error) {
	var reason int32
	text, err := written(func(buffer *byte, capacity uintptr, length *uintptr) error {
		return s.check(ffi.KvcSessionMiss(s.raw, &reason, buffer, capacity, length))
	})
	return MissReason(reason), text, err
}

// Append adds K and V, [n][heads][dim], of the next n tokens of one layer.
func (s *SessionView) Append(layer int, k, v Tensor, n int) error {
	both, err := cTensors([]Tensor{k, v})
	if err != nil {
		return err
	}
	return s.check(ffi.KvcSessionAppend(s.raw, uint32(layer), &both[0], &both[1], uintptr(n)))
}

// AppendAll is the same for all layers at once; all or nothing.
func (s *SessionView) AppendAll(k, v []Tensor, n int) error {
	if len(k) != len(v) || len(k) == 0 {
		return failure(ErrShape, "%d K tensors but %d V tensors; give one of each for every layer", len(k), len(v))
	}
	ks, err := cTensors(k)
	if err != nil {
		return err
	}
	vs, err := cTensors(v)
	if err != nil {
		return err
	}
	return s.check(ffi.KvcSessionAppendAll(s.raw, &ks[0], &vs[0], uint32(len(k)), uintptr(n)))
}

// Commit names the tokens that were appended; full pages can be found from now on.
func (s *SessionView) Commit(tokens []int32) error {
	return s.check(ffi.KvcSessionCommit(s.raw, first(tokens), uintptr(len(tokens))))
}

// Read gathers n tokens of one plane of one layer into out, [n][heads][dim].
func (s *SessionView) Read(layer int, plane Plane, from, n int, out Tensor) error {
	c, err := out.c()
	if err != nil {
		return err
	}
	return s.check(ffi.KvcSessionRead(s.raw, uint32(layer), int32(plane), uintptr(from), uintptr(n), &c))
}

// ReadAll reads K and V of all layers; nil: that plane is not wanted.
func (s *SessionView) ReadAll(from, n int, k, v []Tensor) error {
	if len(k) != len(v) && len(k) != 0 && len(v) != 0 {
		return failure(ErrShape, "%d K tensors but %d V tensors", len(k), len(v))
	}
	ks, err := cTensors(k)
	if err != nil {
		return err
	}
	vs, err := cTensors(v)
	if err != nil {
		return err
	}
	return s.check(ffi.KvcSessionReadAll(s.raw, uintptr(from), uintptr(n), first(ks), first(vs), uint32(max(len(k), len(v)))))
}

// Attend is how SessionView.Attend attends; the zero value is plain causal attention.
type Attend struct {
	Scale         float64 // of scores; 0: 1 / sqrt(head dim)
	Softcap       float64
	Window        uint64
	Sinks         uint64
	Later         uint64 // tokens that the layer has after the last query
	Bidirectional bool
	Threads       uint32
	AlibiSlopes   []float32 // one per query head, or nil
	SinkScores    []float32 // one per query head, or nil
}

// Attend is attention of the queries [n][heads][k_head_dim] over all that one layer has, into out [n][heads][v_head_dim].
func (s *SessionView) Attend(layer int, how Attend, query, out Tensor) error {
	both, err := cTensors([]Tensor{query, out})
	if err != nil {
		return err
	}
	var c ffi.KvcAttendT
	if err := check(ffi.KvcAttendInit(&c, unsafe.Sizeof(c)), nil, 0); err != nil {
		return err
	}
	for _, list := range [][]float32{how.AlibiSlopes, how.SinkScores} {
		if list != nil && (len(query.shape) != 3 || len(list) != query.shape[1]) {
			return failure(ErrShape, "a list has %d numbers; it needs one for each head of the query", len(list))
		}
	}
	c.Scale, c.Softcap, c.Window, c.Sinks, c.Later = how.Scale, how.Softcap, how.Window, how.Sinks, how.Later
	c.Bidirectional, c.NThreads = uint32(flag(how.Bidirectional)), how.Threads
	c.AlibiSlopes, c.SinkScores = unsafe.Pointer(first(how.AlibiSlopes)), unsafe.Pointer(first(how.SinkScores))
	return s.check(ffi.KvcSessionAttend(s.raw, uint32(layer), &c, &both[0], &both[1]))
}

// Truncate cuts it to its first n committed tokens.
func (s *SessionView) Truncate(n int) error {
	return s.check(ffi.KvcSessionTruncate(s.raw, uintptr(n)))
}

// Fork opens a second session with the same tokens; pages are shared.
func (s *Session) Fork() (*Session, error) {
	var raw uintptr
	if err := s.check(ffi.KvcSessionFork(s.raw, &raw)); err != nil {
		return nil, err
	}
	return newSession(raw, s.engine), nil
}

// Pin keeps its sealed pages from eviction, even after it is closed; false takes it back.
func (s *SessionView) Pin(pinned bool) error { return s.check(ffi.KvcSessionPin(s.raw, flag(pinned))) }

// SetPriority is for its pages, present and to come.
func (s *SessionView) SetPriority(priority Priority) error {
	return s.check(ffi.KvcSessionSetPriority(s.raw, int32(priority)))
}

// Hint says what is known of its future.
func (s *SessionView) Hint(hint Hint) error { return s.check(ffi.KvcSessionHint(s.raw, int32(hint))) }

// Expect says that its tokens are expected to be used again so long after it closes; 0 takes it back.
func (s *SessionView) Expect(in time.Duration) error {
	return s.check(ffi.KvcSessionExpect(s.raw, uint64(in)))
}

// Generated says how many tokens the model generated in this session, held by it or not.
func (s *SessionView) Generated(tokens uint64) error {
	return s.check(ffi.KvcSessionGenerated(s.raw, tokens))
}

// Info describes it.
func (s *SessionView) Info() (SessionInfo, error) {
	var info ffi.KvcSessionInfoT
	info.StructSize = unsafe.Sizeof(info)
	err := s.check(ffi.KvcSessionInfo(s.raw, &info))
	return newSessionInfo(&info), err
}

// Tokens copies n committed tokens.
func (s *SessionView) Tokens(from, n int) ([]int32, error) {
	info, err := s.Info()
	if err != nil {
		return nil, err
	}
	// A range beyond the end is refused by kvc, in its words; no memory is taken for it.
	fits := from >= 0 && n >= 0 && uint64(from)+uint64(n) <= info.Length
	tokens := make([]int32, 1)
	if fits {
		tokens = make([]int32, max(n, 1))
	}
	if err := s.check(ffi.KvcSessionTokens(s.raw, uintptr(from), uintptr(n), &tokens[0])); err != nil {
		return nil, err
	}
	return tokens[:n], nil
}
