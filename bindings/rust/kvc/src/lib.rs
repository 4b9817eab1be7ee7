//! kvc: the K/V cache that any program can embed.
//!
//! ```no_run
//! let engine = kvc::Engine::new()?;
//! let answer = engine.process(&kvc::Request::new("In the beginning").max_tokens(64))?;
//! println!("{} ({} tokens cached)", answer.text, answer.cached_tokens);
//! # Ok::<(), kvc::Error>(())
//! ```
//!
//! What each call does, its units, errors and threads are said in `kvc.h` beside the function of the same name, and hold here. Every
//! object may be used from any thread. Objects are closed when they are dropped; a session or space that outlives its engine fails
//! with [`Status::CLOSED`].
#![deny(missing_docs)]

mod backend;
mod config;
mod constants;
mod engine;
mod error;
mod records;
mod request;
mod session;
mod space;
mod tensor;
mod text;

pub use backend::{Backend, Forward, ModelInfo};
pub use config::{module_info, options, Allocator, Config};
pub use constants::*;
pub use engine::{Engine, Pages};
pub use error::{Error, Result};
pub use records::*;
pub use request::{Batch, Request, Stream, Ticket};
pub use session::{Attend, Session, SessionView};
pub use space::{Rope, SessionOptions, Space, SpaceDesc};
pub use tensor::{Bf16, Element, Tensor, TensorMut, F16};

/// Loads the library now, from a path of one's own; otherwise the first use does it. See the crate `libkvc-sys`.
pub fn load(path: impl AsRef<std::path::Path>) -> Result<()> {
    kvc_sys::load(Some(path.as_ref())).map(|_| ()).map_err(|words| Error::new(Status::UNSUPPORTED, words))
}

pub(crate) fn api() -> Result<&'static kvc_sys::raw::Api> {
    kvc_sys::load(None).map_err(|words| Error::new(Status::UNSUPPORTED, words))
}

/// Of the library that was loaded.
pub fn version() -> Result<String> {
    // SAFETY: static text.
    Ok(unsafe { text::terminated((api()?.kvc_version_string)()) })
}

/// The ABI of the library that was loaded; [`load`] refuses another than this crate's.
pub fn abi_version() -> Result<u32> {
    // SAFETY: takes nothing.
    Ok(unsafe { (api()?.kvc_abi_version)() })
}

/// How that library was built, as JSON.
pub fn build_info() -> Result<String> {
    // SAFETY: static text.
    Ok(unsafe { text::terminated((api()?.kvc_build_info)()) })
}

/// Whether it has a feature.
pub fn has_feature(name: &str) -> Result<bool> {
    let name = text::c_string(name)?;
    // SAFETY: the text lives during the call.
    Ok(unsafe { (api()?.kvc_has_feature)(name.as_ptr()) } != 0)
}
