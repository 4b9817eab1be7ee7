//! The engine: a cache, its memory, and requests around a model.
use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kvc_sys::raw;

use crate::error::{check, Error, Result};
use crate::records::{PageInfo, Response, Stats, Whatif};
use crate::request::{self, Batch, Request, Ticket, TextSink};
use crate::space::{Space, SpaceDesc};
use crate::tensor::{Element, Tensor, TensorMut};
use crate::{api, text, Config, Objective, Status};

/// What lives as long as an engine's handle; shared by the engine, its tickets and its spaces.
pub(crate) struct Shared {
    pub(crate) raw: *mut raw::kvc_engine_t,
    _keep: Vec<Arc<dyn Any + Send + Sync>>,
    /// Callbacks of tickets that were dropped while a step may still be inside of them.
    retired: Mutex<Vec<Box<TextSink>>>,
}

// SAFETY: any thread may call any function on any handle.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

impl Shared {
    pub(crate) fn check(&self, status: i32) -> Result<i32> {
        let api = api()?;
        // SAFETY: the buffer is as large as said.
        check(status, Some(&|b, c| unsafe { (api.kvc_engine_last_error)(self.raw, b, c) }))
    }
    pub(crate) fn retire(&self, sink: Box<TextSink>) {
        self.retired.lock().unwrap_or_else(|p| p.into_inner()).push(sink);
    }
    fn close(&self) {
        if let Ok(api) = api() {
            // SAFETY: a handle is a name: a second call finds nothing.
            unsafe { (api.kvc_engine_destroy)(self.raw) }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.close(); // before what callbacks need goes
    }
}

/// An engine. Cheap to clone: clones are the same engine, which ends with the last of them, or with [`Engine::close`].
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// `None` as null.
pub(crate) fn tenant_of(tenant: Option<&str>) -> Result<Option<std::ffi::CString>> {
    tenant.map(text::c_string).transpose()
}

pub(crate) fn pointer(text: &Option<std::ffi::CString>) -> *const std::os::raw::c_char {
    text.as_ref().map_or(std::ptr::null(), |t| t.as_ptr())
}

impl Engine {
    /// All defaults: the preset "seamless" and the built-in model.
    pub fn new() -> Result<Self> {
        Self::with(&Config::new(None)?)
    }

    /// As configured; the configuration is copied.
    pub fn with(config: &Config) -> Result<Self> {
        let keep = config.keep.lock().unwrap_or_else(|p| p.into_inner()).clone();
        let (mut raw, mut error) = (std::ptr::null_mut(), raw::kvc_error_t::default());
        // SAFETY: all pointers live during the call.
        let status = unsafe { (api()?.kvc_engine_create_with_error)(config.raw, &mut raw, &mut error) };
        if status < 0 {
            // SAFETY: zero-terminated by kvc.
            return Err(Error::new(Status(status), unsafe { text::terminated(error.message.as_ptr()) }));
        }
        Ok(Self { shared: Arc::new(Shared { raw, _keep: keep, retired: Mutex::default() }) })
    }

    /// Ends the engine now: requests are cancelled, running calls are let finish. Every later call fails with
    /// [`Status::CLOSED`]; a second close does nothing.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Prompt in, answer out. On failure [`Error::response`] has what was generated until then.
    pub fn process(&self, request: &Request) -> Result<Response> {
        request::process(&self.shared, request)
    }
    /// All together.
    pub fn process_batch(&self, requests: &[Request]) -> Result<Batch> {
        request::process_batch(&self.shared, requests)
    }
    /// Queues and returns at once.
    pub fn submit(&self, request: &Request) -> Result<Ticket> {
        request::submit(&self.shared, request)
    }
    /// Ids of tickets that completed since the last call, at most `capacity`.
    pub fn poll(&self, capacity: usize) -> Result<Vec<u64>> {
        let (mut tickets, mut n) = (vec![0u64; capacity], 0);
        // SAFETY: room for `capacity` tickets.
        self.shared.check(unsafe { (api()?.kvc_poll)(self.shared.raw, tickets.as_mut_ptr(), capacity, &mut n) })?;
        tickets.truncate(n);
        Ok(tickets)
    }
    /// Option threads=0: one step on this thread; true if there is more to do.
    pub fn step(&self) -> Result<bool> {
        let mut busy = 0;
        // SAFETY: lives during the call.
        self.shared.check(unsafe { (api()?.kvc_step)(self.shared.raw, &mut busy) })?;
        Ok(busy != 0)
    }

    /// Text to tokens, without bos.
    pub fn tokenize(&self, text: &str) -> Result<Vec<i32>> {
        let (api, mut tokens, mut n) = (api()?, vec![0i32; text.len() + 8], 0);
        loop {
            // SAFETY: lengths as given.
            let status = unsafe {
                (api.kvc_tokenize)(self.shared.raw, text.as_ptr().cast(), text.len(), tokens.as_mut_ptr(), tokens.len(), &mut n)
            };
            if Status(status) != Status::BUFFER {
                self.shared.check(status)?;
                tokens.truncate(n);
                return Ok(tokens);
            }
            tokens.resize(n, 0);
        }
    }
    /// Tokens to text.
    pub fn detokenize(&self, tokens: &[i32]) -> Result<String> {
        let api = api()?;
        text::read(|b, c, n| {
            // SAFETY: lengths as given.
            self.shared.check(unsafe { (api.kvc_detokenize)(self.shared.raw, tokens.as_ptr(), tokens.len(), b, c, n) }).map(|_| ())
        })
    }
    /// (role, content) pairs as the text of a prompt in the model's own form; `answer`: it ends where the answer begins.
    pub fn chat_text(&self, messages: &[(&str, &str)], answer: bool) -> Result<String> {
        let api = api()?;
        let texts = messages.iter().map(|(r, c)| Ok((text::c_string(r)?, text::c_string(c)?))).collect::<Result<Vec<_>>>()?;
        let items: Vec<_> = texts
            .iter()
            .map(|(role, content)| raw::kvc_message_t { role: role.as_ptr(), content: content.as_ptr(), ..Default::default() })
            .collect();
        text::read(|b, c, n| {
            // SAFETY: the texts live during the call.
            let status = unsafe { (api.kvc_chat_text)(self.shared.raw, items.as_ptr(), items.len(), answer as i32, b, c, n) };
            self.shared.check(status).map(|_| ())
        })
    }

    /// The space of an identity.
    pub fn open_space(&self, desc: &SpaceDesc) -> Result<Space> {
        let mut raw = std::ptr::null_mut();
        let c = desc.c()?;
        // SAFETY: what the description points to lives during the call.
        self.shared.check(unsafe { (api()?.kvc_space_open)(self.shared.raw, &c.desc, &mut raw) })?;
        Ok(Space { raw, engine: self.shared.clone() })
    }
    /// The space of the engine's own model.
    pub fn space(&self) -> Result<Space> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: lives during the call.
        self.shared.check(unsafe { (api()?.kvc_engine_space)(self.shared.raw, &mut raw) })?;
        Ok(Space { raw, engine: self.shared.clone() })
    }

    /// Stores a copy of a tensor under a key.
    pub fn put(&self, tenant: Option<&str>, key: &[u8], tensor: &Tensor<'_>) -> Result<()> {
        let tenant = tenant_of(tenant)?;
        // SAFETY: lengths as given; kvc checks the tensor against its size.
        let status = unsafe { (api()?.kvc_put)(self.shared.raw, pointer(&tenant), key.as_ptr().cast(), key.len(), &tensor.c) };
        self.shared.check(status).map(|_| ())
    }
    /// The numbers of a key and their shape; `None` if it is not stored.
    pub fn get<T: Element>(&self, tenant: Option<&str>, key: &[u8]) -> Result<Option<(Vec<T>, Vec<usize>)>> {
        loop {
            let mut asked = raw::kvc_tensor_t::default();
            if !self.get_raw(tenant, key, &mut asked)? {
                return Ok(None);
            }
            if asked.dtype != T::DTYPE.0 {
                return Err(Error::new(Status::DTYPE, format!("it is stored as dtype {}, asked for as {:?}", asked.dtype, T::DTYPE)));
            }
            let shape: Vec<usize> = asked.shape[..asked.n_dims as usize].iter().map(|n| *n as usize).collect();
            let mut data = vec![T::default(); shape.iter().product()];
            match self.get_into(tenant, key, &mut TensorMut::new(&mut data, &shape)?) {
                Ok(true) => return Ok(Some((data, shape))),
                Ok(false) => return Ok(None),
                Err(e) if e.code == Status::SHAPE || e.code == Status::DTYPE => {} // replaced meanwhile by another shape
                Err(e) => return Err(e),
            }
        }
    }
    /// The numbers of a key into memory of one's own, of its shape; false if it is not stored.
    pub fn get_into(&self, tenant: Option<&str>, key: &[u8], out: &mut TensorMut<'_>) -> Result<bool> {
        self.get_raw(tenant, key, &mut out.c)
    }
    fn get_raw(&self, tenant: Option<&str>, key: &[u8], out: &mut raw::kvc_tensor_t) -> Result<bool> {
        let (tenant, mut found) = (tenant_of(tenant)?, 0);
        // SAFETY: kvc writes within the tensor's size.
        let status = unsafe { (api()?.kvc_get)(self.shared.raw, pointer(&tenant), key.as_ptr().cast(), key.len(), out, &mut found) };
        self.shared.check(status)?;
        Ok(found != 0)
    }
    /// Whether a key is stored.
    pub fn contains(&self, tenant: Option<&str>, key: &[u8]) -> Result<bool> {
        let (tenant, mut found) = (tenant_of(tenant)?, 0);
        // SAFETY: lengths as given.
        let status = unsafe { (api()?.kvc_contains)(self.shared.raw, pointer(&tenant), key.as_ptr().cast(), key.len(), &mut found) };
        self.shared.check(status)?;
        Ok(found != 0)
    }
    /// Removes a key; true if it was stored.
    pub fn remove(&self, tenant: Option<&str>, key: &[u8]) -> Result<bool> {
        let (tenant, mut removed) = (tenant_of(tenant)?, 0);
        // SAFETY: lengths as given.
        let status = unsafe { (api()?.kvc_remove)(self.shared.raw, pointer(&tenant), key.as_ptr().cast(), key.len(), &mut removed) };
        self.shared.check(status)?;
        Ok(removed != 0)
    }

    /// The pages held now, parents before children; `None`: of all tenants.
    pub fn pages(&self, tenant: Option<&str>) -> Result<Pages> {
        let (tenant, mut raw) = (tenant_of(tenant)?, std::ptr::null_mut());
        // SAFETY: lives during the call.
        self.shared.check(unsafe { (api()?.kvc_page_iter_open)(self.shared.raw, pointer(&tenant), &mut raw) })?;
        Ok(Pages { raw })
    }
    /// Describes a page.
    pub fn page_info(&self, id: &[u8; 32]) -> Result<PageInfo> {
        let mut info = raw::kvc_page_info_t::default();
        // SAFETY: 32 bytes.
        self.shared.check(unsafe { (api()?.kvc_page_info)(self.shared.raw, id.as_ptr(), &mut info) })?;
        // SAFETY: filled in by kvc.
        Ok(unsafe { PageInfo::of(&info) })
    }
    /// The tokens of a page.
    pub fn page_tokens(&self, id: &[u8; 32]) -> Result<Vec<i32>> {
        let (api, mut tokens, mut n) = (api()?, vec![0i32; 256], 0);
        loop {
            // SAFETY: lengths as given.
            let status = unsafe { (api.kvc_page_tokens)(self.shared.raw, id.as_ptr(), tokens.as_mut_ptr(), tokens.len(), &mut n) };
            if Status(status) != Status::BUFFER {
                self.shared.check(status)?;
                tokens.truncate(n);
                return Ok(tokens);
            }
            tokens.resize(n, 0);
        }
    }
    /// Evicts until at most `bytes` are used; the bytes given back.
    pub fn trim(&self, bytes: u64) -> Result<u64> {
        let mut freed = 0;
        // SAFETY: lives during the call.
        self.shared.check(unsafe { (api()?.kvc_trim)(self.shared.raw, bytes, &mut freed) })?;
        Ok(freed)
    }
    /// What another budget in bytes (0: the engine's own) and policy (`None`: its own) would have hit over the sessions so far.
    pub fn whatif(&self, budget: u64, policy: Option<&str>) -> Result<Whatif> {
        let (policy, mut result) = (tenant_of(policy)?, raw::kvc_whatif_t::default());
        // SAFETY: the struct has its size; the text lives during the call.
        self.shared.check(unsafe { (api()?.kvc_whatif)(self.shared.raw, budget, pointer(&policy), &mut result) })?;
        Ok(Whatif::of(&result))
    }
    /// Tells the policy what to go for, and what prefill costs: tokens per second, and `balanced_position` of `kvc.h`; 0: not known.
    pub fn adapt(&self, objective: Objective, prefill_speed: f64, balanced_position: f64) -> Result<()> {
        let c = raw::kvc_metrics_t { objective: objective.0, prefill_speed, balanced_position, ..Default::default() };
        // SAFETY: the struct has its size.
        self.shared.check(unsafe { (api()?.kvc_adapt)(self.shared.raw, &c) }).map(|_| ())
    }
    /// Writes a line per session that closes to a file, for `kvc replay`; pages are in it as digests.
    pub fn trace_start(&self, path: &str) -> Result<()> {
        let path = text::c_string(path)?;
        // SAFETY: the text lives during the call.
        self.shared.check(unsafe { (api()?.kvc_trace_start)(self.shared.raw, path.as_ptr()) }).map(|_| ())
    }
    /// Ends the trace; the number of sessions in it.
    pub fn trace_stop(&self) -> Result<u64> {
        let mut n = 0;
        // SAFETY: lives during the call.
        self.shared.check(unsafe { (api()?.kvc_trace_stop)(self.shared.raw, &mut n) })?;
        Ok(n)
    }
    /// Makes everything sealed durable; false if that goes on in the background after a time (`None`: however long it takes).
    pub fn persist(&self, timeout: Option<Duration>) -> Result<bool> {
        let ns = timeout.map_or(u64::MAX, |t| t.as_nanos().try_into().unwrap_or(u64::MAX));
        // SAFETY: a number.
        Ok(self.shared.check(unsafe { (api()?.kvc_persist)(self.shared.raw, ns) })? != raw::KVC_PENDING)
    }
    /// Copies the pages in memory into a directory of their own; the number of records in it. `None`: of all tenants.
    pub fn persist_to(&self, path: &str, tenant: Option<&str>) -> Result<u64> {
        let (path, tenant, mut n) = (text::c_string(path)?, tenant_of(tenant)?, 0);
        // SAFETY: the texts live during the call.
        self.shared.check(unsafe { (api()?.kvc_persist_to)(self.shared.raw, pointer(&tenant), path.as_ptr(), &mut n) })?;
        Ok(n)
    }
    /// Lets the pages of a directory be found; their number.
    pub fn load(&self, path: &str) -> Result<u64> {
        let (path, mut n) = (text::c_string(path)?, 0);
        // SAFETY: the text lives during the call.
        self.shared.check(unsafe { (api()?.kvc_load)(self.shared.raw, path.as_ptr(), &mut n) })?;
        Ok(n)
    }
    /// Lets the pages of a prefix pack be found; their number.
    pub fn pack_open(&self, path: &str) -> Result<u64> {
        let (path, mut n) = (text::c_string(path)?, 0);
        // SAFETY: the text lives during the call.
        self.shared.check(unsafe { (api()?.kvc_pack_open)(self.shared.raw, path.as_ptr(), &mut n) })?;
        Ok(n)
    }
    /// Removes what is kept of a tenant, in memory and on disk; the number of pages, tensors and records.
    pub fn tenant_purge(&self, tenant: Option<&str>) -> Result<u64> {
        let (tenant, mut n) = (tenant_of(tenant)?, 0);
        // SAFETY: the text lives during the call.
        self.shared.check(unsafe { (api()?.kvc_tenant_purge)(self.shared.raw, pointer(&tenant), &mut n) })?;
        Ok(n)
    }
    /// The figures of now.
    pub fn stats(&self) -> Result<Stats> {
        let mut stats = raw::kvc_stats_t::default();
        // SAFETY: the struct has its size.
        self.shared.check(unsafe { (api()?.kvc_stats)(self.shared.raw, &mut stats) })?;
        Ok(Stats::of(&stats))
    }
    /// What the engine is made of, as JSON.
    pub fn info(&self) -> Result<String> {
        let api = api()?;
        // SAFETY: the buffer is as large as said.
        text::read(|b, c, n| self.shared.check(unsafe { (api.kvc_engine_info)(self.shared.raw, b, c, n) }).map(|_| ()))
    }
}

/// A walk over pages.
pub struct Pages {
    raw: *mut raw::kvc_page_iter_t,
}

// SAFETY: any thread may call any function on any handle.
unsafe impl Send for Pages {}

impl Iterator for Pages {
    type Item = Result<PageInfo>;
    fn next(&mut self) -> Option<Self::Item> {
        let mut info = raw::kvc_page_info_t::default();
        // SAFETY: the struct has its size.
        match api().and_then(|api| check(unsafe { (api.kvc_page_iter_next)(self.raw, &mut info) }, None)) {
            Ok(raw::KVC_END) => None,
            // SAFETY: filled in by kvc.
            Ok(_) => Some(Ok(unsafe { PageInfo::of(&info) })),
            Err(e) => Some(Err(e)),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Ok(api) = api() {
            // SAFETY: ours.
            unsafe { (api.kvc_page_iter_close)(self.raw) }
        }
    }
}
