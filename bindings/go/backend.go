package kvc

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// Backend is a model. A backend that keeps its own K/V is an [OwnKV] as well; without that, Forward reads the past from the session
// and appends the new to it. Errors and panics fail the request with their words.
//
// Tokenize and Detokenize are called from any thread at any time, the others from one at a time.
type Backend interface {
	// Describe is called once, when an engine is made.
	Describe() (ModelInfo, error)
	// Tokenize makes tokens of text, without bos.
	Tokenize(text []byte) ([]int32, error)
	// Detokenize gives the bytes of one token.
	Detokenize(token int32) ([]byte, error)
	// Forward computes the next tokens of some sequences. On an error kvc rolls all of them back.
	Forward(items []Forward) error
}

// Sequences is for backends that keep state of a sequence.
type Sequences interface {
	SequenceOpen(sequence uint64) error
	SequenceClose(sequence uint64)
}

// OwnKV is for backends that keep their own K/V, which kvc has exported to, and imported from, sessions.
type OwnKV interface {
	Sequences
	ExportKv(sequence uint64, session *SessionView, from, n int) error
	ImportKv(sequence uint64, session *SessionView, tokens []int32, from int) error
	Truncate(sequence uint64, n int) error
}

// States is for backends whose sequences cannot be rebuilt from K/V (ModelInfo.StateTokens).
type States interface {
	SaveState(sequence uint64, n int) ([]byte, error)
	LoadState(sequence uint64, tokens []int32, state []byte) error
}

// Chat is for backends that know how a conversation is written as a prompt.
type Chat interface {
	ChatText(messages []Message, answer bool) (string, error)
}

// Releaser is for backends that want to know when they are no longer used.
type Releaser interface{ Release() }

// ModelInfo is what a model is.
type ModelInfo struct {
	Name           string
	Space          SpaceDesc // VocabSize is the number of logits
	Context        uint32    // longest sequence, tokens
	MaxBatchTokens uint32    // most tokens in one Forward; 0: no limit
	Bos, Eos       int32     // -1: none
	Ends           []int32   // further tokens that end a text
	TotalTokens    uint32    // OwnKV: most tokens over all open sequences; 0: no limit
	StateTokens    uint32    // States: one state about every so many tokens
	Details        string    // for people
}

// Forward is one sequence's share of a call.
type Forward struct {
	Sequence uint64
	Session  *SessionView // nil for OwnKV
	Tokens   []int32
	Position int
	Logits   []float32 // to be filled in for the last of the tokens; nil if nobody wants them
}

// running is a backend that kvc has.
type running struct {
	backend Backend
	vocab   int
	pinned  runtime.Pinner // what kvc_model_info_t points to
}

func must[T any](number uintptr) T {
	found, ok := find[T](number)
	if !ok {
		panic("the Go object of this callback is gone")
	}
	return found
}

// guard runs a callback's body: errors and panics become a status and words.
func guard(words unsafe.Pointer, size uintptr, body func() error) (status uintptr) {
	say := func(code Status, text string) uintptr {
		if words != nil && size > 0 {
			buffer := unsafe.Slice((*byte)(words), size)
			n := copy(buffer[:size-1], text)
			buffer[n] = 0
		}
		return uintptr(uint32(code))
	}
	defer func() {
		if value := recover(); value != nil {
			status = say(ErrUser, fmt.Sprintf("panicked: %v", value))
		}
	}()
	if err := body(); err != nil {
		code := StatusOf(err)
		if code >= 0 {
			code = ErrUser
		}
		return say(code, err.Error())
	}
	return 0
}

func giveBytes(data []byte, target unsafe.Pointer, capacity uintptr, size *uintptr) {
	*size = uintptr(len(data))
	if target != nil {
		copy(unsafe.Slice((*byte)(target), capacity), data)
	}
}

func tokensAt(address unsafe.Pointer, n uint32) []int32 { return unsafe.Slice((*int32)(address), n) }

func view(session uintptr) *SessionView {
	if session == 0 {
		return nil
	}
	return &SessionView{handle{raw: session}}
}

var (
	onText = sync.OnceValue(func() uintptr {
		return ffi.NewCallback(func(user uintptr, _ uint64, text unsafe.Pointer, size uintptr) (status uintptr) {
			s, ok := find[*sink](user)
			if !ok {
				return uintptr(0xffffffff)
			}
			fail := func(err error) {
				s.mutex.Lock()
				s.err = err
				s.mutex.Unlock()
				status = uintptr(0xffffffff)
			}
			defer func() {
				if value := recover(); value != nil {
					fail(&panicError{value})
				}
			}()
			if err := s.onText(textOf(text, size)); err != nil {
				fail(err)
			}
			return
		})
	})
	onLog = sync.OnceValue(func() uintptr {
		return ffi.NewCallback(func(user uintptr, level int32, message unsafe.Pointer) {
			defer func() { _ = recover() }() // there is nobody to tell
			if log, ok := find[func(LogLevel, string)](user); ok {
				log(LogLevel(level), terminated(message))
			}
		})
	})
	onNow = sync.OnceValue(func() uintptr {
		return ffi.NewCallback(func(user uintptr) (now uintptr) {
			defer func() { _ = recover() }()
			if clock, ok := find[func() uint64](user); ok {
				now = uintptr(clock())
			}
			return
		})
	})
	onAllocate = sync.OnceValue(func() uintptr {
		return ffi.NewCallback(func(user, size, alignment uintptr) (address uintptr) {
			defer func() { _ = recover() }()
			if allocator, ok := find[Allocator](user); ok {
				address = uintptr(allocator.Allocate(size, alignment))
			}
			return
		})
	})
	onRelease = sync.OnceValue(func() uintptr {
		return ffi.NewCallback(func(user uintptr, pointer unsafe.Pointer, size, alignment uintptr) {
			defer func() { _ = recover() }()
			if allocator, ok := find[Allocator](user); ok {
				allocator.Release(pointer, size, alignment)
			}
		})
	})

	backendCallbacks = sync.OnceValue(func() ffi.KvcBackendT {
		return ffi.KvcBackendT{
			Describe: ffi.NewCallback(func(user uintptr, info unsafe.Pointer, words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error { return describe(must[*running](user), (*ffi.KvcModelInfoT)(info)) })
			}),
			Tokenize: ffi.NewCallback(func(user uintptr, text unsafe.Pointer, length uintptr, tokens unsafe.Pointer, capacity uintptr, n *uintptr,
				words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error {
					found, err := must[*running](user).backend.Tokenize([]byte(textOf(text, length)))
					if *n = uintptr(len(found)); err == nil && tokens != nil {
						copy(unsafe.Slice((*int32)(tokens), capacity), found)
					}
					return err
				})
			}),
			Detokenize: ffi.NewCallback(func(user uintptr, token int32, bytes unsafe.Pointer, capacity uintptr, length *uintptr, words unsafe.Pointer,
				size uintptr) uintptr {
				return guard(words, size, func() error {
					found, err := must[*running](user).backend.Detokenize(token)
					giveBytes(found, bytes, capacity, length)
					return err
				})
			}),
			SequenceOpen: ffi.NewCallback(func(user uintptr, sequence uint64, words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error { return must[*running](user).backend.(Sequences).SequenceOpen(sequence) })
			}),
			SequenceClose: ffi.NewCallback(func(user uintptr, sequence uint64) {
				guard(nil, 0, func() error { must[*running](user).backend.(Sequences).SequenceClose(sequence); return nil })
			}),
			Forward: ffi.NewCallback(func(user uintptr, items unsafe.Pointer, n uint32, words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error { return forward(must[*running](user), items, n) })
			}),
			ExportKv: ffi.NewCallback(func(user uintptr, sequence uint64, session uintptr, from, n uint32, words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error {
					return must[*running](user).backend.(OwnKV).ExportKv(sequence, view(session), int(from), int(n))
				})
			}),
			ImportKv: ffi.NewCallback(func(user uintptr, sequence uint64, session uintptr, tokens unsafe.Pointer, from, n uint32, words unsafe.Pointer,
				size uintptr) uintptr {
				return guard(words, size, func() error {
					return must[*running](user).backend.(OwnKV).ImportKv(sequence, view(session), tokensAt(tokens, n), int(from))
				})
			}),
			Truncate: ffi.NewCallback(func(user uintptr, sequence uint64, n uint32, words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error { return must[*running](user).backend.(OwnKV).Truncate(sequence, int(n)) })
			}),
			Destroy: ffi.NewCallback(func(user uintptr) {
				guard(nil, 0, func() error {
					r := must[*running](user)
					r.pinned.Unpin()
					if released, ok := r.backend.(Releaser); ok {
						released.Release()
					}
					return nil
				})
			}),
			ChatText: ffi.NewCallback(func(user uintptr, messages unsafe.Pointer, n uintptr, answer int32, text unsafe.Pointer, capacity uintptr,
				length *uintptr, words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error {
					var list []Message
					for range n {
						c := (*ffi.KvcMessageT)(messages)
						list = append(list, Message{terminated(c.Role), terminated(c.Content)})
						messages = unsafe.Add(messages, c.StructSize)
					}
					found, err := must[*running](user).backend.(Chat).ChatText(list, answer != 0)
					giveBytes([]byte(found), text, capacity, length)
					return err
				})
			}),
			SaveState: ffi.NewCallback(func(user uintptr, sequence uint64, n uint32, bytes unsafe.Pointer, capacity uintptr, length *uintptr,
				words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error {
					state, err := must[*running](user).backend.(States).SaveState(sequence, int(n))
					giveBytes(state, bytes, capacity, length)
					return err
				})
			}),
			LoadState: ffi.NewCallback(func(user uintptr, sequence uint64, tokens unsafe.Pointer, n uint32, bytes unsafe.Pointer, length uintptr,
				words unsafe.Pointer, size uintptr) uintptr {
				return guard(words, size, func() error {
					state := unsafe.Slice((*byte)(bytes), length)
					return must[*running](user).backend.(States).LoadState(sequence, tokensAt(tokens, n), state)
				})
			}),
		}
	})
)

func describe(r *running, info *ffi.KvcModelInfoT) error {
	told, err := r.backend.Describe()
	if err != nil {
		return err
	}
	space, err := told.Space.c()
	if err != nil {
		return err
	}
	name, err := cstring(told.Name)
	if err != nil {
		return err
	}
	details, err := optional(told.Details)
	if err != nil {
		return err
	}
	r.vocab = int(told.Space.VocabSize)
	// kvc reads these as long as the backend is in use.
	for _, pointer := range []unsafe.Pointer{unsafe.Pointer(space), space.Label, space.WeightsDigest, space.TokenizerDigest, space.Rope,
		space.Adapters, space.Attention, unsafe.Pointer(name), unsafe.Pointer(details), unsafe.Pointer(first(told.Ends))} {
		if pointer != nil {
			r.pinned.Pin(pointer)
		}
	}
	if space.Rope != nil && (*ffi.KvcRopeT)(space.Rope).Scaling != nil {
		r.pinned.Pin((*ffi.KvcRopeT)(space.Rope).Scaling)
	}
	for i := range told.Space.Adapters {
		r.pinned.Pin(&told.Space.Adapters[i].Digest[0])
	}
	// The space that kvc gives may be the smaller struct of an older library: point to ours, which says its own size.
	info.Space, info.Name, info.Details = unsafe.Pointer(space), unsafe.Pointer(name), unsafe.Pointer(details)
	info.Ends, info.NEnds = unsafe.Pointer(first(told.Ends)), uint32(len(told.Ends))
	info.Context, info.MaxBatchTokens, info.Bos, info.Eos = told.Context, told.MaxBatchTokens, told.Bos, told.Eos
	info.TotalTokens, info.StateTokens = told.TotalTokens, told.StateTokens
	return nil
}

func forward(r *running, address unsafe.Pointer, n uint32) error {
	items := make([]Forward, n)
	for i := range items {
		c := (*ffi.KvcForwardT)(address)
		items[i] = Forward{Sequence: c.Sequence, Session: view(c.Session), Tokens: tokensAt(c.Tokens, c.N), Position: int(c.Position)}
		if c.Logits != nil {
			items[i].Logits = unsafe.Slice((*float32)(c.Logits), r.vocab)
		}
		address = unsafe.Add(address, c.StructSize) // kvc's elements may be larger than this package's struct
	}
	return r.backend.Forward(items)
}

// tableOf is the table with the functions that a backend has.
func tableOf(backend Backend, number uintptr) ffi.KvcBackendT {
	table := backendCallbacks()
	table.StructSize, table.UserData, table.Kind = unsafe.Sizeof(table), number, int32(BackendKindPaged)
	if _, ok := backend.(Sequences); !ok {
		table.SequenceOpen, table.SequenceClose = 0, 0
	}
	if _, ok := backend.(OwnKV); ok {
		table.Kind = int32(BackendKindOwnKv)
	} else {
		table.ExportKv, table.ImportKv, table.Truncate = 0, 0, 0
	}
	if _, ok := backend.(States); !ok {
		table.SaveState, table.LoadState = 0, 0
	}
	if _, ok := backend.(Chat); !ok {
		table.ChatText = 0
	}
	return table
}
