package kvc

import (
	"unsafe"

	"github.com/libkvc/kvc/bindings/go/internal/ffi"
)

// Half is the bits of a binary16 number, Bfloat those of a bfloat16.
type (
	Half   uint16
	Bfloat uint16
)

// Element is what tensors are made of.
type Element interface {
	float32 | Half | Bfloat | uint8
}

// Tensor is a slice with a shape. kvc reads or writes the slice where it lies, during a call.
type Tensor struct {
	data    unsafe.Pointer
	size    uint64
	dtype   DType
	shape   []int
	strides []int
}

// Of describes a compact slice, row by row.
func Of[T Element](data []T, shape ...int) Tensor {
	var one T
	return Tensor{unsafe.Pointer(first(data)), uint64(len(data)) * uint64(unsafe.Sizeof(one)), dtypeOf[T](), shape, nil}
}

// THD describes a compact slice [tokens][heads][dim].
func THD[T Element](data []T, tokens, heads, dim int) Tensor { return Of(data, tokens, heads, dim) }

// HTD describes a compact slice [heads][tokens][dim]; its indices are [token][head][dim] all the same.
func HTD[T Element](data []T, heads, tokens, dim int) Tensor {
	return Of(data, tokens, heads, dim).Strided(dim, tokens*dim, 1)
}

// Strided is the same memory with strides, in elements.
func (t Tensor) Strided(strides ...int) Tensor {
	t.strides = strides
	return t
}

func dtypeOf[T Element]() DType {
	var one T
	switch any(one).(type) {
	case Half:
		return F16
	case Bfloat:
		return BF16
	case uint8:
		return U8
	}
	return F32
}

func (t Tensor) c() (ffi.KvcTensorT, error) {
	c := ffi.KvcTensorT{Data: t.data, Size: t.size, Dtype: int32(t.dtype), NDims: uint32(len(t.shape))}
	c.StructSize = unsafe.Sizeof(c)
	if len(t.shape) == 0 || len(t.shape) > MaxDims {
		return c, failure(ErrShape, "a tensor has %d dimensions; it must have 1 to %d", len(t.shape), MaxDims)
	}
	if t.strides != nil && len(t.strides) != len(t.shape) {
		return c, failure(ErrShape, "%d strides for %d dimensions", len(t.strides), len(t.shape))
	}
	for i, n := range t.shape {
		c.Shape[i] = int64(n)
	}
	for i, n := range t.strides {
		c.Strides[i] = int64(n)
	}
	return c, nil
}

func cTensors(tensors []Tensor) ([]ffi.KvcTensorT, error) {
	all := make([]ffi.KvcTensorT, len(tensors))
	for i, t := range tensors {
		c, err := t.c()
		if err != nil {
			return nil, err
		}
		all[i] = c
	}
	return all, nil
}
