//! Text and numbers out of C memory.
use std::os::raw::c_char;

use crate::error::{Error, Result};
use crate::Status;

/// A zero-terminated text; "" for null. SAFETY: valid up to its zero.
pub(crate) unsafe fn terminated(p: *const c_char) -> String {
    if p.is_null() {
        return String::new();
    }
    std::ffi::CStr::from_ptr(p).to_string_lossy().into_owned()
}

/// A text with its length. SAFETY: valid for that length.
pub(crate) unsafe fn sized(p: *const c_char, n: usize) -> String {
    String::from_utf8_lossy(bytes(p.cast(), n)).into_owned()
}

/// SAFETY: valid for that length, as long as the result is used.
pub(crate) unsafe fn bytes<'a>(p: *const u8, n: usize) -> &'a [u8] {
    if p.is_null() || n == 0 {
        return &[];
    }
    std::slice::from_raw_parts(p, n)
}

/// SAFETY: valid for that length.
pub(crate) unsafe fn ints(p: *const i32, n: usize) -> Vec<i32> {
    if p.is_null() || n == 0 {
        return Vec::new();
    }
    std::slice::from_raw_parts(p, n).to_vec()
}

/// Text from a function that writes (buffer, capacity, length) and checks its own status.
pub(crate) fn read(mut call: impl FnMut(*mut c_char, usize, *mut usize) -> Result<()>) -> Result<String> {
    let mut buffer = vec![0u8; 512];
    loop {
        let mut length = 0;
        call(buffer.as_mut_ptr().cast(), buffer.len(), &mut length)?;
        if length < buffer.len() {
            buffer.truncate(length);
            return Ok(String::from_utf8_lossy(&buffer).into_owned());
        }
        buffer.resize(length + 1, 0);
    }
}

/// Text as C wants it: a zero inside is refused, it would cut the text.
pub(crate) fn c_string(text: &str) -> Result<std::ffi::CString> {
    std::ffi::CString::new(text).map_err(|_| Error::new(Status::INVALID, format!("a zero inside of '{}'", text.escape_debug())))
}
