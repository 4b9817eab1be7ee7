//! Borrowed memory with a shape.
use std::marker::PhantomData;

use kvc_sys::raw;

use crate::error::{Error, Result};
use crate::{DType, Status};

/// A number that kvc stores.
///
/// # Safety
/// Its size must be that of `DTYPE`, and every bit pattern must be a value.
pub unsafe trait Element: Copy + Default + Send + Sync + 'static {
    /// As `kvc.h` calls it.
    const DTYPE: DType;
}

/// The bits of an IEEE 754 binary16.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct F16(pub u16);

/// The bits of a bfloat16.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bf16(pub u16);

// SAFETY: sizes as kvc.h says.
unsafe impl Element for f32 {
    const DTYPE: DType = DType::F32;
}
unsafe impl Element for F16 {
    const DTYPE: DType = DType::F16;
}
unsafe impl Element for Bf16 {
    const DTYPE: DType = DType::BF16;
}
unsafe impl Element for u8 {
    const DTYPE: DType = DType::U8;
}

fn describe(data: *mut std::os::raw::c_void, size: usize, dtype: DType, shape: &[usize], strides: &[usize]) -> Result<raw::kvc_tensor_t> {
    if shape.is_empty() || shape.len() > raw::KVC_MAX_DIMS as usize || !(strides.is_empty() || strides.len() == shape.len()) {
        let message = format!("{} dimensions with {} strides; a tensor has 1..{}", shape.len(), strides.len(), raw::KVC_MAX_DIMS);
        return Err(Error::new(Status::SHAPE, message));
    }
    let mut c = raw::kvc_tensor_t { data, size: size as u64, dtype: dtype.0, n_dims: shape.len() as u32, ..Default::default() };
    for (to, from) in c.shape.iter_mut().zip(shape).chain(c.strides.iter_mut().zip(strides)) {
        *to = i64::try_from(*from).map_err(|_| Error::new(Status::SHAPE, format!("{from} elements")))?;
    }
    Ok(c)
}

/// Numbers that kvc reads.
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    pub(crate) c: raw::kvc_tensor_t,
    _data: PhantomData<&'a [u8]>,
}

impl<'a> Tensor<'a> {
    /// A compact array. A shape larger than the data is refused by the call that uses it.
    pub fn new<T: Element>(data: &'a [T], shape: &[usize]) -> Result<Self> {
        Self::strided(data, shape, &[])
    }
    /// With strides, in elements: `[heads][tokens][dim]` memory as `[tokens][heads][dim]`.
    pub fn strided<T: Element>(data: &'a [T], shape: &[usize], strides: &[usize]) -> Result<Self> {
        let c = describe(data.as_ptr() as *mut _, std::mem::size_of_val(data), T::DTYPE, shape, strides)?;
        Ok(Self { c, _data: PhantomData })
    }
    /// A compact `[tokens][heads][dim]` array, as sessions take it.
    pub fn thd<T: Element>(data: &'a [T], tokens: usize, heads: usize, dim: usize) -> Result<Self> {
        Self::new(data, &[tokens, heads, dim])
    }
    /// A compact `[heads][tokens][dim]` array, as sessions take it.
    pub fn htd<T: Element>(data: &'a [T], tokens: usize, heads: usize, dim: usize) -> Result<Self> {
        Self::strided(data, &[tokens, heads, dim], &[dim, tokens * dim, 1])
    }
}

/// Numbers that kvc writes.
pub struct TensorMut<'a> {
    pub(crate) c: raw::kvc_tensor_t,
    _data: PhantomData<&'a mut [u8]>,
}

impl<'a> TensorMut<'a> {
    /// A compact array.
    pub fn new<T: Element>(data: &'a mut [T], shape: &[usize]) -> Result<Self> {
        Self::strided(data, shape, &[])
    }
    /// With strides, in elements.
    pub fn strided<T: Element>(data: &'a mut [T], shape: &[usize], strides: &[usize]) -> Result<Self> {
        let c = describe(data.as_mut_ptr().cast(), std::mem::size_of_val(data), T::DTYPE, shape, strides)?;
        Ok(Self { c, _data: PhantomData })
    }
    /// A compact `[tokens][heads][dim]` array.
    pub fn thd<T: Element>(data: &'a mut [T], tokens: usize, heads: usize, dim: usize) -> Result<Self> {
        Self::new(data, &[tokens, heads, dim])
    }
    /// A compact `[heads][tokens][dim]` array.
    pub fn htd<T: Element>(data: &'a mut [T], tokens: usize, heads: usize, dim: usize) -> Result<Self> {
        Self::strided(data, &[tokens, heads, dim], &[dim, tokens * dim, 1])
    }
}
