// Package kvc is the K/V cache that any program can embed: it keeps the keys and values that a language model computes, finds them
// again for every later prompt that begins alike, and answers prompts around any model.
//
// libkvc.so is loaded when the first function is used; nothing is linked, and CGO_ENABLED=0 will do. It is looked for where [Load]
// says, in KVC_LIBRARY (a file), in KVC_LIBRARY_PATH (a folder), and then where the system's loader looks. With the build tag
// kvc_cgo, calls go through cgo: faster, but a C compiler is needed.
//
// Every object may be used from several goroutines at once. Close may be called twice and lets running calls end; what is used after
// it returns an error that is [ErrClosed]. What is dropped without Close is closed by the garbage collector.
package kvc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

var library struct {
	sync.Once
	path string
	err  error
}

// Load loads the library now, from a path if it is not "". What is named explicitly has no alternative.
func Load(path string) error {
	library.Do(func() { library.path, library.err = load(path) })
	if library.err == nil && path != "" && path != library.path {
		return fmt.Errorf("kvc is loaded already, from %s", library.path)
	}
	return library.err
}

func load(path string) (string, error) {
	name := fmt.Sprintf("libkvc.so.%d", ffi.AbiVersion)
	if path == "" {
		if path = os.Getenv("KVC_LIBRARY"); path == "" {
			if path = name; os.Getenv("KVC_LIBRARY_PATH") != "" {
				path = filepath.Join(os.Getenv("KVC_LIBRARY_PATH"), name)
			}
		}
	}
	if err := ffi.Load(path); err != nil {
		return "", fmt.Errorf("kvc: libkvc could not be loaded: %w. Name it by kvc.Load(path), by KVC_LIBRARY (a file) or by "+
			"KVC_LIBRARY_PATH (a folder)", err)
	}
	return path, nil
}

// Version is the library's version, "major.minor.patch".
func Version() (string, error) {
	if err := Load(""); err != nil {
		return "", err
	}
	return ffi.KvcVersionString(), nil
}

// LibraryAbiVersion is the library's ABI; Load refuses one that this package was not made for.
func LibraryAbiVersion() (uint32, error) {
	if err := Load(""); err != nil {
		return 0, err
	}
	return ffi.KvcAbiVersion(), nil
}

// BuildInfo says how the library was built, as one JSON object.
func BuildInfo() (string, error) {
	if err := Load(""); err != nil {
		return "", err
	}
	return ffi.KvcBuildInfo(), nil
}

// HasFeature tells whether the library has a feature; unknown ones it has not.
func HasFeature(name string) bool {
	if Load("") != nil {
		return false
	}
	text, err := cstring(name)
	return err == nil && ffi.KvcHasFeature(text) != 0
}

// Error is a failed call.
type Error struct {
	Code     Status
	Message  string    // what was wrong, how much, and what to do
	Response *Response // what a request had generated until it failed, or nil
	cause    error     // of a context, or what a callback returned
}

func (e *Error) Error() string { return e.Code.Name() + ": " + e.Message }

// Is tells errors by their code: errors.Is(err, kvc.ErrNoMemory).
func (e *Error) Is(target error) bool {
	code, ok := target.(Status)
	return ok && code == e.Code
}

// Unwrap gives the error of the context or the callback that ended a request.
func (e *Error) Unwrap() error { return e.cause }

// Name is as in kvc.h: "KVC_E_NO_MEMORY".
func (s Status) Name() string {
	if Load("") != nil {
		return fmt.Sprintf("kvc status %d", int32(s))
	}
	return ffi.KvcStatusName(int32(s))
}

// Error says what the status means: so the constants can be targets of errors.Is.
func (s Status) Error() string {
	if Load("") != nil {
		return s.Name()
	}
	return s.Name() + ": " + ffi.KvcStatusText(int32(s))
}

// StatusOf is the status of an error of this package; ErrUser for any other, OK for nil.
func StatusOf(err error) Status {
	var own *Error
	var status Status
	switch {
	case err == nil:
		return OK
	case errors.As(err, &own):
		return own.Code
	case errors.As(err, &status):
		return status
	}
	return ErrUser
}

func failure(code Status, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
