//go:build !(kvc_cgo && cgo)

package ffi

import "github.com/ebitengine/purego"

// call calls a C function whose arguments and result are integers and addresses, as all of kvc.h's are. What a caller converts to
// uintptr in the list of arguments is kept in memory, at its place, until the call returns.
//
//go:uintptrescapes
func call(function uintptr, args ...uintptr) uintptr {
	result, _, _ := purego.SyscallN(function, args...)
	return result
}
