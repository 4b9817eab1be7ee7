package ffi

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Load opens a library and finds every function in it. It is never closed: other threads may be inside.
func Load(path string) error {
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return err
	}
	abi, err := purego.Dlsym(library, "kvc_abi_version")
	if err != nil {
		return fmt.Errorf("%s is no libkvc: %w", path, err)
	}
	if found := uint32(call(abi)); found != AbiVersion {
		return fmt.Errorf("%s speaks ABI %d, this package ABI %d: install the library that belongs to it, or name another by KVC_LIBRARY",
			path, found, AbiVersion)
	}
	for i, name := range Functions {
		if addresses[i], err = purego.Dlsym(library, name); err != nil {
			return fmt.Errorf("%s has no %s: it is older than this package (%s)", path, name, Version)
		}
	}
	return nil
}

// NewCallback makes a C function of a Go function. It is never released, and there may be 2,000 of them: one for each kind.
func NewCallback(function any) uintptr { return purego.NewCallback(function) }

func textAt(address uintptr) string {
	// The address of C memory, which no garbage collector moves; written so that vet sees no arithmetic on Go's pointers.
	return Text(*(*unsafe.Pointer)(unsafe.Pointer(&address)))
}

// Text is a copy of zero-terminated text; "" for NULL.
func Text(address unsafe.Pointer) string {
	if address == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(address, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(address), n))
}
