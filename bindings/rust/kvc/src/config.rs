//! Options by name, and what an engine can be given.
use std::any::Any;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use kvc_sys::raw;

use crate::backend::{self, Backend};
use crate::error::{check, Result};
use crate::records::OptionInfo;
use crate::{api, text, LogLevel};

/// Every option there is.
pub fn options() -> Result<Vec<OptionInfo>> {
    let api = api()?;
    // SAFETY: the struct is ours; its texts are static.
    (0..unsafe { (api.kvc_option_count)() })
        .map(|index| unsafe {
            let mut info = raw::kvc_option_info_t::default();
            check((api.kvc_option_info)(index, &mut info), None)?;
            Ok(OptionInfo::of(&info))
        })
        .collect()
}

/// What the module of model files works with on this machine, as JSON. `None`: the defaults.
pub fn module_info(config: Option<&Config>) -> Result<String> {
    let api = api()?;
    let raw = config.map_or(std::ptr::null_mut(), |c| c.raw);
    // SAFETY: the buffer is as large as said.
    text::read(|b, c, n| check(unsafe { (api.kvc_module_info)(raw, b, c, n) }, None).map(|_| ()))
}

/// Where an engine's pages come from.
///
/// # Safety
/// What `allocate` returns must be null, or memory of that size and alignment which is nobody else's until `release`.
pub unsafe trait Allocator: Send + Sync {
    /// Null: there is no memory.
    fn allocate(&self, size: usize, alignment: usize) -> *mut u8;
    /// As it was asked for.
    fn release(&self, pointer: *mut u8, size: usize, alignment: usize);
}

type Log = Box<dyn Fn(LogLevel, &str) + Send + Sync>;
type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

/// An engine's configuration.
pub struct Config {
    pub(crate) raw: *mut raw::kvc_config_t,
    pub(crate) keep: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
}

// SAFETY: any thread may call any function on any handle.
unsafe impl Send for Config {}
unsafe impl Sync for Config {}

impl Config {
    /// From a preset of `kvc.h`; `None` is the default one.
    pub fn new(preset: Option<&str>) -> Result<Self> {
        let preset = preset.map(text::c_string).transpose()?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: both pointers live during the call.
        check(unsafe { (api()?.kvc_config_create)(preset.as_ref().map_or(std::ptr::null(), |p| p.as_ptr()), &mut raw) }, None)?;
        Ok(Self { raw, keep: Mutex::default() })
    }

    /// Sets an option: `config.set("memory", "1GiB")`.
    pub fn set(&self, key: &str, value: impl ToString) -> Result<&Self> {
        let (key, value) = (text::c_string(key)?, text::c_string(&value.to_string())?);
        // SAFETY: the texts live during the call.
        self.check(unsafe { (api()?.kvc_config_set)(self.raw, key.as_ptr(), value.as_ptr()) })?;
        Ok(self)
    }

    /// An option as text.
    pub fn get(&self, key: &str) -> Result<String> {
        let (api, key) = (api()?, text::c_string(key)?);
        // SAFETY: the buffer is as large as said.
        text::read(|b, c, n| self.check(unsafe { (api.kvc_config_get)(self.raw, key.as_ptr(), b, c, n) }))
    }

    /// Sets the options that the engine of a directory had, but secrets. `key`: its option disk_key.
    pub fn load(&self, path: &str, key: Option<&str>) -> Result<&Self> {
        let (path, key) = (text::c_string(path)?, key.map(text::c_string).transpose()?);
        let key = key.as_ref().map_or(std::ptr::null(), |k| k.as_ptr());
        // SAFETY: the texts live during the call.
        self.check(unsafe { (api()?.kvc_config_load)(self.raw, path.as_ptr(), key) })?;
        Ok(self)
    }

    /// Gives engines a model; `None` takes it back.
    pub fn set_backend(&self, backend: Option<Arc<dyn Backend>>) -> Result<()> {
        let made = backend.map(backend::table_of);
        let table = made.as_ref().map_or(std::ptr::null(), |(table, _)| table as *const _);
        // SAFETY: the table is copied; what it points to is kept by every engine.
        self.check(unsafe { (api()?.kvc_config_set_backend)(self.raw, table) })?;
        made.map(|(_, keep)| self.keep(keep));
        Ok(())
    }

    /// `log` gets lines up to a level, from any thread.
    pub fn set_logger(&self, level: LogLevel, log: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Result<()> {
        unsafe extern "C" fn call(user: *mut c_void, level: i32, message: *const c_char) {
            let log = &*user.cast::<Log>();
            let message = text::terminated(message);
            let _ = catch_unwind(AssertUnwindSafe(|| log(LogLevel(level), &message)));
        }
        let log: Arc<Log> = Arc::new(Box::new(log));
        let table = raw::kvc_logger_t { user_data: Arc::as_ptr(&log) as *mut _, level: level.0, log: Some(call), ..Default::default() };
        // SAFETY: the table is copied; the closure is kept by every engine.
        self.check(unsafe { (api()?.kvc_config_set_logger)(self.raw, &table) })?;
        self.keep(log);
        Ok(())
    }

    /// The engine's only source of time; must not go backwards. A panic counts as 0.
    pub fn set_clock(&self, now_ns: impl Fn() -> u64 + Send + Sync + 'static) -> Result<()> {
        unsafe extern "C" fn call(user: *mut c_void) -> u64 {
            let clock = &*user.cast::<Clock>();
            catch_unwind(AssertUnwindSafe(clock)).unwrap_or(0)
        }
        let clock: Arc<Clock> = Arc::new(Box::new(now_ns));
        let table = raw::kvc_clock_t { user_data: Arc::as_ptr(&clock) as *mut _, now_ns: Some(call), ..Default::default() };
        // SAFETY: as above.
        self.check(unsafe { (api()?.kvc_config_set_clock)(self.raw, &table) })?;
        self.keep(clock);
        Ok(())
    }

    /// Where pages come from. A panic of `allocate` counts as no memory.
    pub fn set_allocator(&self, allocator: impl Allocator + 'static) -> Result<()> {
        unsafe extern "C" fn allocate(user: *mut c_void, size: usize, alignment: usize) -> *mut c_void {
            let own = &*user.cast::<Box<dyn Allocator>>();
            catch_unwind(AssertUnwindSafe(|| own.allocate(size, alignment))).map_or(std::ptr::null_mut(), |p| p.cast())
        }
        unsafe extern "C" fn release(user: *mut c_void, pointer: *mut c_void, size: usize, alignment: usize) {
            let own = &*user.cast::<Box<dyn Allocator>>();
            let _ = catch_unwind(AssertUnwindSafe(|| own.release(pointer.cast(), size, alignment)));
        }
        let own: Arc<Box<dyn Allocator>> = Arc::new(Box::new(allocator));
        let table = raw::kvc_allocator_t {
            user_data: Arc::as_ptr(&own) as *mut _,
            allocate: Some(allocate),
            release: Some(release),
            ..Default::default()
        };
        // SAFETY: as above.
        self.check(unsafe { (api()?.kvc_config_set_allocator)(self.raw, &table) })?;
        self.keep(own);
        Ok(())
    }

    fn keep(&self, item: Arc<dyn Any + Send + Sync>) {
        self.keep.lock().unwrap_or_else(|p| p.into_inner()).push(item);
    }

    fn check(&self, status: i32) -> Result<()> {
        let api = api()?;
        // SAFETY: the buffer is as large as said.
        check(status, Some(&|b, c| unsafe { (api.kvc_config_last_error)(self.raw, b, c) })).map(|_| ())
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        if let Ok(api) = api() {
            // SAFETY: ours.
            unsafe { (api.kvc_config_destroy)(self.raw) }
        }
    }
}
