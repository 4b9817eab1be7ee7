package kvc

import (
	"strings"
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// Pointers to Go's memory inside of structs are safe for the time of a call: Go's collector moves no object of the heap, and the
// struct itself, which is kept by ffi, keeps what it points to.

// cstring is zero-terminated text; text with a zero inside would be cut, so it is refused.
func cstring(text string) (*byte, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, failure(ErrInvalid, "text with a zero byte inside: %q", text)
	}
	raw := make([]byte, len(text)+1)
	copy(raw, text)
	return &raw[0], nil
}

// optional is the same, with nil for "".
func optional(text string) (*byte, error) {
	if text == "" {
		return nil, nil
	}
	return cstring(text)
}

func first[T any](items []T) *T {
	if len(items) == 0 {
		return nil
	}
	return &items[0]
}

func bytesOf(data []byte) unsafe.Pointer { return unsafe.Pointer(first(data)) }

func textOf(address unsafe.Pointer, size uintptr) string {
	if address == nil {
		return ""
	}
	return string(unsafe.Slice((*byte)(address), size))
}

func terminated(address unsafe.Pointer) string { return ffi.Text(address) }

func fromChars(chars []byte) string {
	text, _, _ := strings.Cut(string(chars), "\x00")
	return text
}

func intsOf(address unsafe.Pointer, n uintptr) []int32 {
	if address == nil || n == 0 {
		return nil
	}
	return append([]int32(nil), unsafe.Slice((*int32)(address), n)...)
}

// written is the text that a function writes into a buffer; status is its result, already checked.
func written(write func(buffer *byte, capacity uintptr, length *uintptr) error) (string, error) {
	buffer := make([]byte, 512)
	for {
		var length uintptr
		if err := write(&buffer[0], uintptr(len(buffer)), &length); err != nil {
			return "", err
		}
		if length < uintptr(len(buffer)) {
			return string(buffer[:length]), nil
		}
		buffer = make([]byte, length+1)
	}
}

// lastError is what a handle says of its last failure.
func lastError(ask func(handle uintptr, buffer *byte, capacity uintptr) uintptr, handle uintptr) string {
	buffer := make([]byte, 512)
	for {
		length := ask(handle, &buffer[0], uintptr(len(buffer)))
		if length < uintptr(len(buffer)) {
			return string(buffer[:length])
		}
		buffer = make([]byte, length+1)
	}
}

// check makes an error of a negative status, with the words of the handle it came from.
func check(status int32, ask func(uintptr, *byte, uintptr) uintptr, handle uintptr) error {
	if status >= 0 {
		return nil
	}
	code, words := Status(status), ""
	if ask != nil && code != ErrClosed && code != ErrNull && code != ErrForked {
		words = lastError(ask, handle)
	}
	if words == "" {
		words = ffi.KvcStatusText(status)
	}
	return &Error{Code: code, Message: words}
}
