//! The functions of `kvc.h`, loaded from `libkvc.so` at run time. The crate `libkvc` is what programs use.
//!
//! The library is looked for at the path given to [`load`], in `KVC_LIBRARY` (a file), in `KVC_LIBRARY_PATH` (a folder), and then
//! where the system's loader looks for `libkvc.so.0`. What is named explicitly has no alternative.
pub mod raw;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

static API: OnceLock<raw::Api> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

fn place(path: Option<&Path>) -> PathBuf {
    let name = format!("libkvc.so.{}", raw::KVC_ABI_VERSION);
    match (path, std::env::var_os("KVC_LIBRARY"), std::env::var_os("KVC_LIBRARY_PATH")) {
        (Some(path), _, _) => path.to_path_buf(),
        (None, Some(file), _) => file.into(),
        (None, None, Some(folder)) => Path::new(&folder).join(name),
        (None, None, None) => name.into(),
    }
}

/// Loads the library, if that has not happened yet. It stays loaded until the process ends. On failure: what was wrong.
pub fn load(path: Option<&Path>) -> Result<&'static raw::Api, String> {
    if let Some(api) = API.get() {
        return Ok(api);
    }
    let _one = LOADING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(api) = API.get() {
        return Ok(api);
    }
    let place = place(path);
    let shown = place.display();
    // SAFETY: libkvc runs no code of its own when it is loaded.
    let library = unsafe { libloading::Library::new(&place) }
        .map_err(|e| format!("{shown} could not be loaded: {e}; name it by KVC_LIBRARY (a file) or KVC_LIBRARY_PATH (a folder)"))?;
    // SAFETY: the addresses come from a library that has the functions' names; the ABI is compared before any other call.
    let api = unsafe {
        let abi: libloading::Symbol<unsafe extern "C" fn() -> u32> =
            library.get(b"kvc_abi_version\0").map_err(|e| format!("{shown} is no libkvc: {e}"))?;
        let abi = abi();
        if abi != raw::KVC_ABI_VERSION as u32 {
            return Err(format!("{shown} speaks ABI {abi}, this crate ABI {}", raw::KVC_ABI_VERSION));
        }
        raw::Api::fill(|name| {
            library
                .get::<*mut std::os::raw::c_void>(name.as_bytes())
                .map(|symbol| *symbol)
                .map_err(|e| format!("{shown} is older than this crate ({}): {e}", raw::VERSION))
        })?
    };
    std::mem::forget(library); // callbacks and handles may outlive whoever loaded it
    Ok(API.get_or_init(|| api))
}
