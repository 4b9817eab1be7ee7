package kvc

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// Request is what to ask: Prompt or Tokens. Zero fields have kvc's defaults.
type Request struct {
	Prompt      string
	Tokens      []int32 // the prompt as tokens; nil if Prompt is given
	MaxTokens   uint32  // of the answer; 0: 128
	Temperature float64 // 0: always the likeliest
	TopK        uint32
	TopP        float64 // 0: 1
	Seed        uint64
	Stop        []string
	NoCache     bool
	Action      Action
	Priority    Priority
	SessionID   string // names a conversation: its requests run in order
	Tenant      string // security domain
	Deadline    time.Duration
	// OnText gets each new piece, on the engine's thread. An error cancels the request, and Process returns it. So does a panic.
	OnText func(text string) error
}

// sink is where the pieces of one request go, and what its function said last.
type sink struct {
	onText func(string) error
	mutex  sync.Mutex
	err    error
}

func (s *sink) failed() error {
	if s == nil {
		return nil
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.err
}

type asked struct {
	c     *ffi.KvcRequestT
	sink  *sink
	entry *entry
}

func (r *Request) fill(c *ffi.KvcRequestT) (asked, error) {
	if err := check(ffi.KvcRequestInit(c, unsafe.Sizeof(*c)), nil, 0); err != nil {
		return asked{}, err
	}
	if r.Tokens != nil {
		c.Tokens, c.NTokens = unsafe.Pointer(unsafe.SliceData(r.Tokens)), uintptr(len(r.Tokens))
	} else {
		prompt := append([]byte(r.Prompt), 0)
		c.Prompt, c.PromptSize = unsafe.Pointer(&prompt[0]), uintptr(len(r.Prompt))
	}
	if r.MaxTokens != 0 {
		c.MaxTokens = r.MaxTokens
	}
	if r.TopP != 0 {
		c.TopP = r.TopP
	}
	c.Temperature, c.TopK, c.Seed = r.Temperature, r.TopK, r.Seed
	c.NoCache, c.Action, c.Priority, c.DeadlineNs = uint32(flag(r.NoCache)), int32(r.Action), int32(r.Priority), uint64(r.Deadline)
	id, err := optional(r.SessionID)
	if err != nil {
		return asked{}, err
	}
	tenant, err := optional(r.Tenant)
	if err != nil {
		return asked{}, err
	}
	c.SessionId, c.Tenant = unsafe.Pointer(id), unsafe.Pointer(tenant)
	stops := make([]unsafe.Pointer, len(r.Stop))
	for i, text := range r.Stop {
		stop, err := cstring(text)
		if err != nil {
			return asked{}, err
		}
		stops[i] = unsafe.Pointer(stop)
	}
	c.Stop, c.NStop = unsafe.Pointer(first(stops)), uint32(len(stops))
	a := asked{c: c}
	if r.OnText != nil {
		a.sink = &sink{onText: r.OnText}
		a.entry = callbacks.add(a.sink)
		c.OnText, c.UserData = onText(), a.entry.number
	}
	return a, nil
}

func take(raw *ffi.KvcResponseT) *Response {
	if raw == nil {
		return nil
	}
	response := newResponse(raw)
	ffi.KvcResponseFree(raw)
	return &response
}

// finish makes the response, or the error, of what kvc handed out.
func (e *Engine) finish(ctx context.Context, status int32, raw *ffi.KvcResponseT, s *sink) (*Response, error) {
	response := take(raw)
	if status >= 0 {
		return response, nil
	}
	err := &Error{Code: Status(status), Response: response}
	if response != nil {
		err.Message = response.Error
	}
	if err.Message == "" {
		var own *Error
		errors.As(e.check(status), &own)
		err.Message = own.Message
	}
	if said := s.failed(); said != nil {
		err.cause, err.Message = said, said.Error()
		var panicked *panicError
		if errors.As(said, &panicked) {
			err.Code = ErrUser
		}
	} else if ctx.Err() != nil && Status(status) == ErrCancelled {
		err.cause = context.Cause(ctx)
	}
	return nil, err
}

type panicError struct{ value any }

func (p *panicError) Error() string { return fmt.Sprintf("panicked: %v", p.value) }

// Process answers a request; when the context ends, so does the request. An error is an [*Error], whose Response has what was
// generated until then.
func (e *Engine) Process(ctx context.Context, request Request) (*Response, error) {
	if ctx.Done() != nil {
		ticket, err := e.Submit(request)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { ticket.Cancel() })
		defer stop()
		defer ticket.Close()
		return ticket.wait(ctx, ^uint64(0))
	}
	a, err := request.fill(&ffi.KvcRequestT{})
	if err != nil {
		return nil, err
	}
	defer callbacks.drop(a.entry)
	var raw *ffi.KvcResponseT
	status := ffi.KvcProcess(e.raw, a.c, &raw)
	return e.finish(ctx, status, raw, a.sink)
}

// ProcessBatch answers requests together. A response is nil if its request was refused; the error is the first failure.
func (e *Engine) ProcessBatch(requests []Request) ([]*Response, error) {
	n := len(requests)
	cs, raws, all := make([]ffi.KvcRequestT, n), make([]*ffi.KvcResponseT, n), make([]asked, n)
	for i := range requests {
		a, err := requests[i].fill(&cs[i])
		if err != nil {
			return nil, err
		}
		defer callbacks.drop(a.entry)
		all[i] = a
	}
	failed := e.check(ffi.KvcProcessBatch(e.raw, first(cs), uintptr(n), first(raws)))
	responses := make([]*Response, n)
	for i, raw := range raws {
		responses[i] = take(raw)
	}
	for _, a := range all {
		if said := a.sink.failed(); said != nil {
			return responses, said
		}
	}
	return responses, failed
}

// Ticket is a request that was submitted.
type Ticket struct {
	handle
	id     uint64
	engine *Engine
	sink   *sink
}

// Submit queues a request and returns at once.
func (e *Engine) Submit(request Request) (*Ticket, error) {
	a, err := request.fill(&ffi.KvcRequestT{})
	if err != nil {
		return nil, err
	}
	var id uint64
	if err := e.check(ffi.KvcSubmit(e.raw, a.c, &id)); err != nil {
		callbacks.drop(a.entry)
		return nil, err
	}
	t := &Ticket{id: id, engine: e, sink: a.sink}
	engine := e.raw
	own(t, &t.handle, uintptr(id), func(uintptr) {
		ffi.KvcTicketFree(engine, id)
		callbacks.drop(a.entry)
	})
	return t, nil
}

// ID is unique within its engine; Engine.Poll lists it when the request is complete.
func (t *Ticket) ID() uint64 { return t.id }

// Wait gives the answer when it is complete, which ends the ticket. When the context ends first, it returns the context's error and
// the request goes on.
func (t *Ticket) Wait(ctx context.Context) (*Response, error) {
	for {
		response, err := t.wait(ctx, slice(ctx))
		if response != nil || err != nil {
			return response, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
}

// slice is how long a call may wait without looking at the context.
func slice(ctx context.Context) uint64 {
	if ctx.Done() == nil {
		return ^uint64(0)
	}
	if ctx.Err() != nil {
		return 0
	}
	return uint64(20 * time.Millisecond)
}

func (t *Ticket) wait(ctx context.Context, timeout uint64) (*Response, error) {
	var raw *ffi.KvcResponseT
	status := ffi.KvcWait(t.engine.raw, t.id, timeout, &raw)
	if Status(status) == Pending {
		return nil, nil
	}
	response, err := t.engine.finish(ctx, status, raw, t.sink)
	if raw != nil {
		t.closer.close() // frees nothing more than the callback's number
	}
	return response, err
}

// Next gives the next piece of the text; false when it is complete. An ended context ends the call, not the request.
func (t *Ticket) Next(ctx context.Context) (string, bool, error) {
	var buffer [1024]byte
	for {
		var size uintptr
		status := ffi.KvcNext(t.engine.raw, t.id, slice(ctx), &buffer[0], uintptr(len(buffer)), &size)
		switch Status(status) {
		case OK:
			return string(buffer[:size]), true, nil
		case End:
			return "", false, nil
		case Pending:
			if ctx.Err() != nil {
				return "", false, context.Cause(ctx)
			}
		default:
			return "", false, t.engine.check(status)
		}
	}
}

// Cancel asks the request to end at its next step; its answer is then the text so far.
func (t *Ticket) Cancel() error { return t.engine.check(ffi.KvcCancel(t.engine.raw, t.id)) }

// Close drops the answer and cancels what still runs.
func (t *Ticket) Close() error {
	t.closer.close()
	return nil
}

// Stream gives the answer's text piece by piece. Leaving the loop, or the end of the context, cancels the request.
//
//	for text, err := range engine.Stream(ctx, request) { ... }
func (e *Engine) Stream(ctx context.Context, request Request) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		ticket, err := e.Submit(request)
		if err != nil {
			yield("", err)
			return
		}
		defer ticket.Close()
		for {
			text, more, err := ticket.Next(ctx)
			if err == nil && !more {
				_, err = ticket.Wait(ctx)
			}
			if err != nil {
				yield("", err)
				return
			}
			if !more || !yield(text, nil) {
				return
			}
		}
	}
}

// Piece is one piece of a text, or the error that ended it.
type Piece struct {
	Text string
	Err  error
}

// Channel is Stream as a channel, closed at the end. Whoever stops receiving must end the context: that cancels the request.
func (e *Engine) Channel(ctx context.Context, request Request) <-chan Piece {
	pieces := make(chan Piece, 16)
	go func() {
		defer close(pieces)
		for text, err := range e.Stream(ctx, request) {
			select {
			case pieces <- Piece{text, err}:
			case <-ctx.Done():
				select { // the reason, if there is room for it
				case pieces <- Piece{Err: context.Cause(ctx)}:
				default:
				}
				return
			}
		}
	}()
	return pieces
}
