package kvc_test

import (
	"context"
	"errors"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/libkvc/kvc/bindings/go"
)

const prompt = "In the beginning God created the heaven and the earth."

func engine(t *testing.T, options ...kvc.Option) *kvc.Engine {
	t.Helper()
	e, err := kvc.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func until(t *testing.T, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

func stats(t *testing.T, e *kvc.Engine) kvc.Stats {
	s, err := e.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestErrorsAreToldByTheirCode(t *testing.T) {
	e := engine(t)
	_, err := e.Process(background, kvc.Request{Prompt: prompt, MaxTokens: 100000})
	var own *kvc.Error
	if !errors.Is(err, kvc.ErrContext) || errors.Is(err, kvc.ErrIo) || !errors.As(err, &own) || !strings.HasPrefix(err.Error(), "KVC_E_CONTEXT: ") {
		t.Fatal(err)
	}
	if _, err := e.Process(background, kvc.Request{Prompt: "x", Tenant: "a\x00b"}); !errors.Is(err, kvc.ErrInvalid) {
		t.Fatal(err)
	}
}

func TestClosingLetsARunningCallEndAndMayBeRepeated(t *testing.T) {
	e := engine(t)
	failed := make(chan error)
	go func() {
		_, err := e.Process(background, kvc.Request{Prompt: prompt, MaxTokens: 4000})
		failed <- err
	}()
	until(t, func() bool { return stats(t, e).RequestsActive == 1 })
	e.Close()
	e.Close()
	if err := <-failed; !errors.Is(err, kvc.ErrCancelled) {
		t.Fatal(err)
	}
	if _, err := e.Stats(); !errors.Is(err, kvc.ErrClosed) {
		t.Fatal(err)
	}
}

func TestContextCancels(t *testing.T) {
	e := engine(t)
	ctx, cancel := context.WithCancel(background)
	go func() {
		until(t, func() bool { return stats(t, e).RequestsActive == 1 })
		cancel()
	}()
	_, err := e.Process(ctx, kvc.Request{Prompt: prompt, MaxTokens: 4000})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, kvc.ErrCancelled) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(background, 30*time.Millisecond)
	defer cancel()
	ticket, err := e.Submit(kvc.Request{Prompt: prompt, MaxTokens: 4000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ticket.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	ticket.Close()
	until(t, func() bool { return stats(t, e).RequestsCancelled == 2 })
}

func TestLeavingAStreamOrItsContextCancels(t *testing.T) {
	e := engine(t)
	pieces := 0
	for text, err := range e.Stream(background, kvc.Request{Prompt: prompt, MaxTokens: 4000}) {
		if err != nil || text == "" {
			t.Fatal(text, err)
		}
		if pieces++; pieces == 3 {
			break
		}
	}
	until(t, func() bool { return stats(t, e).RequestsCancelled == 1 })

	ctx, cancel := context.WithCancel(background)
	channel := e.Channel(ctx, kvc.Request{Prompt: prompt, MaxTokens: 4000})
	if piece := <-channel; piece.Err != nil || piece.Text == "" {
		t.Fatal(piece)
	}
	cancel()
	for range channel {
	}
	until(t, func() bool { return stats(t, e).RequestsCancelled == 2 })

	whole, err := e.Process(background, kvc.Request{Prompt: prompt, MaxTokens: 20})
	if err != nil {
		t.Fatal(err)
	}
	streamed := ""
	for piece := range e.Channel(background, kvc.Request{Prompt: prompt, MaxTokens: 20}) {
		streamed += piece.Text
	}
	if streamed != whole.Text {
		t.Fatalf("%q, expected %q", streamed, whole.Text)
	}
}

func TestOnTextMayRefuseAndMayPanic(t *testing.T) {
	e := engine(t)
	enough := errors.New("enough")
	_, err := e.Process(background, kvc.Request{Prompt: prompt, OnText: func(string) error { return enough }})
	var own *kvc.Error
	if !errors.Is(err, enough) || !errors.Is(err, kvc.ErrCancelled) || !errors.As(err, &own) || own.Response == nil {
		t.Fatal(err)
	}
	_, err = e.Process(background, kvc.Request{Prompt: prompt, OnText: func(string) error { panic("no more") }})
	if !errors.Is(err, kvc.ErrUser) || !strings.Contains(err.Error(), "panicked: no more") {
		t.Fatal(err)
	}
	var pieces atomic.Int32
	count := func(string) error { pieces.Add(1); return nil }
	if _, err := e.Process(background, kvc.Request{Prompt: prompt, MaxTokens: 3, OnText: count}); err != nil || pieces.Load() == 0 {
		t.Fatal(err)
	}
}

type counted struct{ held, calls atomic.Int64 }

func (c *counted) Allocate(size, alignment uintptr) unsafe.Pointer {
	// A mapping is aligned to 4,096 bytes; kvc asks for no more.
	memory, err := syscall.Mmap(-1, 0, int(size+alignment), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	c.held.Add(int64(size))
	c.calls.Add(1)
	return unsafe.Pointer(&memory[0])
}

func (c *counted) Release(pointer unsafe.Pointer, size, alignment uintptr) {
	syscall.Syscall(syscall.SYS_MUNMAP, uintptr(pointer), size+alignment, 0)
	c.held.Add(-int64(size))
}

func TestLoggerClockAndAllocatorAreUsedAndMayPanic(t *testing.T) {
	config, err := kvc.NewConfig("")
	if err != nil {
		t.Fatal(err)
	}
	var lines, now atomic.Uint64
	memory := &counted{}
	for _, err := range []error{
		config.SetLogger(kvc.LogLevelDebug, func(kvc.LogLevel, string) { lines.Add(1); panic("in the logger") }),
		config.SetClock(func() uint64 { return now.Add(1000) }),
		config.SetAllocator(memory),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := kvc.NewEngine(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Close()
	if _, err := e.Process(background, kvc.Request{Prompt: prompt, MaxTokens: 2}); err != nil {
		t.Fatal(err)
	}
	e.Close()
	if lines.Load() == 0 || now.Load() < 2000 || memory.calls.Load() == 0 || memory.held.Load() != 0 {
		t.Fatal(lines.Load(), now.Load(), memory.calls.Load(), memory.held.Load())
	}
}

func TestTensorsOfOtherTypesAndOrders(t *testing.T) {
	e := engine(t)
	if err := e.Put("", []byte("h"), kvc.Of([]kvc.Half{1, 2, 3}, 3)); err != nil {
		t.Fatal(err)
	}
	if data, shape, err := kvc.Get[kvc.Half](e, "", []byte("h")); err != nil || !reflect.DeepEqual(data, []kvc.Half{1, 2, 3}) || len(shape) != 1 {
		t.Fatal(data, shape, err)
	}
	if _, _, err := kvc.Get[float32](e, "", []byte("h")); !errors.Is(err, kvc.ErrDtype) {
		t.Fatal(err)
	}
	rows := []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11} // [2 heads][3 tokens][2]
	if err := e.Put("", []byte("t"), kvc.HTD(rows, 2, 3, 2)); err != nil {
		t.Fatal(err)
	}
	data, shape, err := kvc.Get[float32](e, "", []byte("t"))
	if err != nil || !reflect.DeepEqual(shape, []int{3, 2, 2}) || !reflect.DeepEqual(data, []float32{0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}) {
		t.Fatal(data, shape, err)
	}
	if err := e.Put("", []byte("x"), kvc.Of(rows, 5, 5)); !errors.Is(err, kvc.ErrShape) {
		t.Fatal(err)
	}
}

// counting is a model whose next token is the sum of all before it, read back from K/V: every page is looked at.
type counting struct {
	broken   atomic.Int32
	released atomic.Bool
}

func desc() kvc.SpaceDesc {
	return kvc.SpaceDesc{Weights: []byte("counting"), None: kvc.AbsentTokenizer | kvc.AbsentRope | kvc.AbsentAdapters | kvc.AbsentAttention,
		Layers: 2, KVHeads: 1, KHeadDim: 4, PageTokens: 8, VocabSize: 256}
}

func rowsOf(tokens []int32) (rows []float32) {
	for _, t := range tokens {
		rows = append(rows, float32(t), float32(t), float32(t), float32(t))
	}
	return
}

func expected(prompt string, n int) (answer []int32) {
	sum := int32(0)
	for _, b := range []byte(prompt) {
		sum += int32(b)
	}
	for range n {
		answer = append(answer, sum%256)
		sum += sum % 256
	}
	return
}

func (c *counting) Describe() (kvc.ModelInfo, error) {
	return kvc.ModelInfo{Name: "counting", Space: desc(), Context: 512, Bos: -1, Eos: -1, Ends: []int32{255}}, nil
}

func (c *counting) Tokenize(text []byte) (tokens []int32, err error) {
	for _, b := range text {
		tokens = append(tokens, int32(b))
	}
	return
}

func (c *counting) Detokenize(token int32) ([]byte, error) { return []byte{byte(token)}, nil }

func (c *counting) ChatText(messages []kvc.Message, answer bool) (string, error) {
	text := ""
	for _, m := range messages {
		text += m.Role + ": " + m.Content + "\n"
	}
	return text + map[bool]string{true: ">"}[answer], nil
}

func (c *counting) Release() { c.released.Store(true) }

func (c *counting) fail() error {
	switch c.broken.Load() {
	case 1:
		return errors.New("the accelerator is on fire")
	case 2:
		panic("the accelerator is gone")
	}
	return nil
}

func (c *counting) Forward(items []kvc.Forward) error {
	if err := c.fail(); err != nil {
		return err
	}
	for _, item := range items {
		tensor := kvc.THD(rowsOf(item.Tokens), len(item.Tokens), 1, 4)
		both := []kvc.Tensor{tensor, tensor}
		if err := item.Session.AppendAll(both, both, len(item.Tokens)); err != nil {
			return err
		}
		n, sum := item.Position+len(item.Tokens), 0
		past := make([]float32, n*4)
		if err := item.Session.Read(1, kvc.Value, 0, n, kvc.THD(past, n, 1, 4)); err != nil {
			return err
		}
		for i := 0; i < len(past); i += 4 {
			sum += int(past[i])
		}
		if item.Logits != nil {
			clear(item.Logits)
			item.Logits[sum%256] = 1
		}
	}
	return nil
}

// keeping is the same with K/V of its own.
type keeping struct {
	counting
	mutex     sync.Mutex
	sequences map[uint64][]int32
	imported  int
}

func (k *keeping) SequenceOpen(sequence uint64) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.sequences[sequence] = nil
	return nil
}

func (k *keeping) SequenceClose(sequence uint64) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	delete(k.sequences, sequence)
}

func (k *keeping) Forward(items []kvc.Forward) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	for _, item := range items {
		if len(k.sequences[item.Sequence]) != item.Position || item.Session != nil {
			return errors.New("another position")
		}
		k.sequences[item.Sequence] = append(k.sequences[item.Sequence], item.Tokens...)
		sum := 0
		for _, t := range k.sequences[item.Sequence] {
			sum += int(t)
		}
		if item.Logits != nil {
			clear(item.Logits)
			item.Logits[sum%256] = 1
		}
	}
	return nil
}

func (k *keeping) ExportKv(sequence uint64, session *kvc.SessionView, from, n int) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	tensor := kvc.THD(rowsOf(k.sequences[sequence][from:from+n]), n, 1, 4)
	for layer := range 2 {
		if err := session.Append(layer, tensor, tensor, n); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeping) ImportKv(sequence uint64, session *kvc.SessionView, tokens []int32, from int) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	data := make([]float32, len(tokens)*4)
	if err := session.Read(0, kvc.Key, from, len(tokens), kvc.THD(data, len(tokens), 1, 4)); err != nil {
		return err
	}
	if !reflect.DeepEqual(data, rowsOf(tokens)) {
		return errors.New("other K/V than was exported")
	}
	k.imported += len(tokens)
	k.sequences[sequence] = append(k.sequences[sequence], tokens...)
	return nil
}

func (k *keeping) Truncate(sequence uint64, n int) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.sequences[sequence] = k.sequences[sequence][:n]
	return nil
}

func TestAModelInGoAnswersAndGetsItsKVBack(t *testing.T) {
	paged, own := &counting{}, &keeping{sequences: map[uint64][]int32{}}
	for _, backend := range []kvc.Backend{paged, own} {
		e := engine(t, kvc.With("memory", "16MiB"), kvc.WithBackend(backend))
		cached := 0
		for i, prompt := range []string{"counting", "counting again", "counting again and again", "counting"} {
			response, err := e.Process(background, kvc.Request{Prompt: prompt, MaxTokens: 12})
			if err != nil || !reflect.DeepEqual(response.Tokens, expected(prompt, 12)) || (response.CachedTokens > 0) != (i > 0) {
				t.Fatal(prompt, response, err)
			}
			cached += int(response.CachedTokens)
		}
		if backend == kvc.Backend(own) && own.imported != cached {
			t.Fatal(own.imported, cached)
		}
		if text, err := e.ChatText([]kvc.Message{{Role: "user", Content: "Hi"}}, true); err != nil || text != "user: Hi\n>" {
			t.Fatal(text, err)
		}
		runtime.GC()
		e.Close()
	}
	if !paged.released.Load() || !own.released.Load() || len(own.sequences) != 0 {
		t.Fatal("not released")
	}
}

func TestErrorsAndPanicsOfAModelFailTheRequestWithTheirWords(t *testing.T) {
	backend := &counting{}
	e := engine(t, kvc.WithBackend(backend))
	for broken, words := range []string{"", "the accelerator is on fire", "panicked: the accelerator is gone"} {
		backend.broken.Store(int32(broken))
		_, err := e.Process(background, kvc.Request{Prompt: "hello", MaxTokens: 4})
		if (err == nil) != (words == "") || err != nil && !strings.Contains(err.Error(), words) {
			t.Fatal(err)
		}
	}
}

func TestPagesOutliveTheirEngineOnDisk(t *testing.T) {
	folder := t.TempDir()
	for _, cached := range []uint32{0, 54} {
		e := engine(t, kvc.With("disk_path", folder+"/store"), kvc.With("secret", "s"))
		response, err := e.Process(background, kvc.Request{Prompt: prompt, MaxTokens: 4})
		if err != nil || response.CachedTokens < cached || (cached == 0) != (response.CachedTokens == 0) {
			t.Fatal(response, err)
		}
		if done, err := e.Persist(-1); err != nil || !done {
			t.Fatal(done, err)
		}
		e.Close()
	}
}

func TestAThousandEnginesLeaveNoMemoryBehind(t *testing.T) {
	resident := func() int {
		raw, _ := os.ReadFile("/proc/self/statm")
		n, _ := strconv.Atoi(strings.Fields(string(raw))[1])
		return n * 4
	}
	before := 0
	for cycle := range 1000 {
		e, err := kvc.New(kvc.With("memory", "4MiB"), kvc.With("model", "none"))
		if err != nil {
			t.Fatal(err)
		}
		d := desc()
		space, err := e.OpenSpace(d)
		if err != nil {
			t.Fatal(err)
		}
		session, err := space.OpenSession(nil)
		if err != nil {
			t.Fatal(err)
		}
		session.Match([]int32{1, 2, 3})
		session.Close()
		space.Close()
		e.Close()
		if cycle == 300 {
			before = resident()
		}
	}
	if now := resident(); now > before+4096 {
		t.Fatalf("grew from %d KiB to %d KiB", before, now)
	}
}

func TestWhatIsDroppedIsClosedByTheCollector(t *testing.T) {
	backend := &counting{}
	func() {
		if _, err := kvc.New(kvc.WithBackend(backend)); err != nil {
			t.Fatal(err)
		}
	}()
	until(t, func() bool { runtime.GC(); return backend.released.Load() })
}
