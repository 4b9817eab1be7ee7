//go:build kvc_cgo && cgo

package ffi

/*
#include <stdint.h>

typedef uintptr_t w;
static w kvc_go_call(w f, const w *a, int n) {
  switch (n) {
    case 0: return ((w(*)(void))f)();
    case 1: return ((w(*)(w))f)(a[0]);
    case 2: return ((w(*)(w, w))f)(a[0], a[1]);
    case 3: return ((w(*)(w, w, w))f)(a[0], a[1], a[2]);
    case 4: return ((w(*)(w, w, w, w))f)(a[0], a[1], a[2], a[3]);
    case 5: return ((w(*)(w, w, w, w, w))f)(a[0], a[1], a[2], a[3], a[4]);
    case 6: return ((w(*)(w, w, w, w, w, w))f)(a[0], a[1], a[2], a[3], a[4], a[5]);
    case 7: return ((w(*)(w, w, w, w, w, w, w))f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    case 8: return ((w(*)(w, w, w, w, w, w, w, w))f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
    default: return ((w(*)(w, w, w, w, w, w, w, w, w))f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
  }
}
*/
import "C"

// call is the same through cgo: faster, but a C compiler is needed to build the program.
//
//go:uintptrescapes
func call(function uintptr, args ...uintptr) uintptr {
	var words [9]C.w
	if len(args) > len(words) {
		panic("kvc: a function with more arguments than call_cgo.go knows")
	}
	for i, arg := range args {
		words[i] = C.w(arg)
	}
	return uintptr(C.kvc_go_call(C.w(function), &words[0], C.int(len(args))))
}
