//! Errors: a status and its words.
use std::os::raw::c_char;

use crate::records::Response;
use crate::{api, text, Status};

/// A call that failed: what was wrong, how much, and what to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Error {
    /// As in `kvc.h`.
    pub code: Status,
    /// Never empty.
    pub message: String,
    /// What a request had generated until it failed.
    pub response: Option<Box<Response>>,
}

/// What every call that can fail returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of one's own, for a [`Backend`](crate::Backend) to return.
    pub fn new(code: Status, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), response: None }
    }

    /// "KVC_E_NO_MEMORY" and so on.
    pub fn name(&self) -> String {
        match api() {
            // SAFETY: static text.
            Ok(api) => unsafe { text::terminated((api.kvc_status_name)(self.code.0)) },
            Err(_) => format!("{:?}", self.code),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name(), self.message)
    }
}

impl std::error::Error for Error {}

/// Where a handle keeps the words of its last failure: a function that writes (buffer, capacity) and returns the length.
pub(crate) type Words<'a> = &'a dyn Fn(*mut c_char, usize) -> usize;

/// A status as a result, with the words of the handle it came from.
pub(crate) fn check(status: i32, words: Option<Words<'_>>) -> Result<i32> {
    if status >= 0 {
        return Ok(status);
    }
    let code = Status(status);
    let mut message = String::new();
    if let (Some(words), false) = (words, [Status::CLOSED, Status::NULL, Status::FORKED].contains(&code)) {
        message = text::read(|buffer, capacity, length| {
            // SAFETY: `length` is text::read's own.
            unsafe { *length = words(buffer, capacity) };
            Ok(())
        })?;
    }
    if message.is_empty() {
        // SAFETY: static text.
        message = unsafe { text::terminated((api()?.kvc_status_text)(status)) };
    }
    Err(Error::new(code, message))
}
