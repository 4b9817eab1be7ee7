//! Requests and the tickets of those that were submitted.
use std::ffi::CString;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kvc_sys::raw;

use crate::engine::{pointer, tenant_of, Shared};
use crate::error::{check, Error, Result};
use crate::records::Response;
use crate::{api, text, Action, Status};

type OnText = Arc<Mutex<dyn FnMut(&str) -> bool + Send>>;

/// What to ask; what is not set has kvc's default.
#[derive(Clone, Default)]
pub struct Request {
    prompt: Option<String>,
    tokens: Option<Vec<i32>>,
    stop: Vec<String>,
    session_id: Option<String>,
    tenant: Option<String>,
    on_text: Option<OnText>,
    max_tokens: Option<u32>,
    top_k: Option<u32>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    seed: Option<u64>,
    action: Action,
    priority: i32,
    no_cache: bool,
    deadline_ns: u64,
}

impl Default for Action {
    fn default() -> Self {
        Action::PROCESS
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident: $kind:ty => $value:expr;)*) => {
        $($(#[$doc])* pub fn $name(mut self, $name: $kind) -> Self { self.$name = $value; self })*
    };
}

impl Request {
    /// A prompt as text.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self { prompt: Some(prompt.into()), ..Self::default() }
    }
    /// A prompt as tokens.
    pub fn from_tokens(tokens: impl Into<Vec<i32>>) -> Self {
        Self { tokens: Some(tokens.into()), ..Self::default() }
    }
    setters! {
        /// Of the answer.
        max_tokens: u32 => Some(max_tokens);
        /// Sample among the k likeliest; 0 = all.
        top_k: u32 => Some(top_k);
        /// 0 = always the likeliest.
        temperature: f64 => Some(temperature);
        /// Sample within this probability mass.
        top_p: f64 => Some(top_p);
        /// Same seed, same answer.
        seed: u64 => Some(seed);
        /// What is wanted.
        action: Action => action;
        /// `Priority::HIGH.0`, or any value between.
        priority: i32 => priority;
        /// Neither look up nor store.
        no_cache: bool => no_cache;
    }
    /// The answer ends before this text; may be repeated.
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.stop.push(text.into());
        self
    }
    /// Names a conversation: its requests run in order.
    pub fn session_id(mut self, id: impl Into<String>) -> Self {
        self.session_id = Some(id.into());
        self
    }
    /// Security domain.
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }
    /// Time allowed from submission.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline_ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self
    }
    /// Called with each new piece, on the engine's thread; false cancels. A panic ends the request with [`Status::USER`].
    pub fn on_text(mut self, function: impl FnMut(&str) -> bool + Send + 'static) -> Self {
        self.on_text = Some(Arc::new(Mutex::new(function)));
        self
    }

    /// The C form; `texts` owns what it points to beside this request.
    fn c(&self, texts: &mut Texts, sink: Option<&TextSink>) -> Result<raw::kvc_request_t> {
        let mut c = raw::kvc_request_t::default();
        // SAFETY: the struct has its size.
        check(unsafe { (api()?.kvc_request_init)(&mut c, c.struct_size) }, None)?;
        if let Some(prompt) = &self.prompt {
            (c.prompt, c.prompt_size) = (prompt.as_ptr().cast(), prompt.len());
        }
        if let Some(tokens) = &self.tokens {
            (c.tokens, c.n_tokens) = (tokens.as_ptr(), tokens.len());
        }
        texts.owned = self.stop.iter().map(|s| text::c_string(s)).collect::<Result<_>>()?;
        texts.stop = texts.owned.iter().map(|s| s.as_ptr()).collect();
        (c.stop, c.n_stop) = (texts.stop.as_ptr(), texts.stop.len() as u32);
        (texts.session_id, texts.tenant) = (tenant_of(self.session_id.as_deref())?, tenant_of(self.tenant.as_deref())?);
        (c.session_id, c.tenant) = (pointer(&texts.session_id), pointer(&texts.tenant));
        c.max_tokens = self.max_tokens.unwrap_or(c.max_tokens);
        c.top_k = self.top_k.unwrap_or(c.top_k);
        c.temperature = self.temperature.unwrap_or(c.temperature);
        c.top_p = self.top_p.unwrap_or(c.top_p);
        c.seed = self.seed.unwrap_or(c.seed);
        (c.action, c.priority, c.no_cache, c.deadline_ns) = (self.action.0, self.priority, self.no_cache as u32, self.deadline_ns);
        if let Some(sink) = sink {
            c.on_text = Some(on_text);
            c.user_data = sink as *const _ as *mut c_void;
        }
        Ok(c)
    }
    fn sink(&self) -> Option<Box<TextSink>> {
        self.on_text.as_ref().map(|function| Box::new(TextSink { function: function.clone(), panic: Mutex::default() }))
    }
}

#[derive(Default)]
struct Texts {
    owned: Vec<CString>,
    stop: Vec<*const c_char>,
    session_id: Option<CString>,
    tenant: Option<CString>,
}

/// Where the pieces of one request go, and the words of a panic there.
pub(crate) struct TextSink {
    function: OnText,
    panic: Mutex<Option<String>>,
}

unsafe extern "C" fn on_text(user: *mut c_void, _ticket: u64, piece: *const c_char, size: usize) -> i32 {
    let sink = &*user.cast::<TextSink>();
    let piece = text::sized(piece, size);
    match catch_unwind(AssertUnwindSafe(|| (sink.function.lock().unwrap_or_else(|p| p.into_inner()))(&piece))) {
        Ok(true) => 0,
        Ok(false) => Status::USER.0,
        Err(panic) => {
            *sink.panic.lock().unwrap_or_else(|p| p.into_inner()) = Some(words_of(&*panic));
            Status::USER.0
        }
    }
}

/// The words of a panic.
pub(crate) fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|s| s.to_string()).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", words.unwrap_or_else(|| "without words".into()))
}

/// A Response from the C struct, which is released.
fn take(raw: *mut raw::kvc_response_t) -> Result<Option<Response>> {
    if raw.is_null() {
        return Ok(None);
    }
    // SAFETY: kvc gave it to us.
    unsafe {
        let response = Response::of(&*raw);
        (api()?.kvc_response_free)(raw);
        Ok(Some(response))
    }
}

fn finish(engine: &Shared, status: i32, raw: *mut raw::kvc_response_t, sink: Option<&TextSink>) -> Result<Option<Response>> {
    let response = take(raw)?;
    let panic = sink.and_then(|s| s.panic.lock().unwrap_or_else(|p| p.into_inner()).take());
    if status >= 0 && panic.is_none() {
        return Ok(response);
    }
    let words = response.as_ref().map_or("", |r| &r.error);
    let mut error = match (panic, words) {
        (Some(panic), _) => Error::new(Status::USER, format!("on_text {panic}")),
        (None, "") => engine.check(status).err().unwrap_or_else(|| Error::new(Status(status), "")),
        (None, words) => Error::new(Status(status), words),
    };
    error.response = response.map(Box::new);
    Err(error)
}

pub(crate) fn process(engine: &Shared, request: &Request) -> Result<Response> {
    let (mut texts, sink, mut raw) = (Texts::default(), request.sink(), std::ptr::null_mut());
    let c = request.c(&mut texts, sink.as_deref())?;
    // SAFETY: everything lives during the call, and kvc calls on_text during it alone.
    let status = unsafe { (api()?.kvc_process)(engine.raw, &c, &mut raw) };
    finish(engine, status, raw, sink.as_deref())?.ok_or_else(|| Error::new(Status::INTERNAL, "no response"))
}

/// Answers of a batch; a response is `None` if its request was refused.
#[non_exhaustive]
pub struct Batch {
    /// The first failure.
    pub error: Option<Error>,
    /// In the order of the requests.
    pub responses: Vec<Option<Response>>,
}

pub(crate) fn process_batch(engine: &Shared, requests: &[Request]) -> Result<Batch> {
    let mut texts: Vec<Texts> = requests.iter().map(|_| Texts::default()).collect();
    let sinks: Vec<_> = requests.iter().map(|r| r.sink()).collect();
    let c: Vec<_> = requests.iter().zip(&mut texts).zip(&sinks).map(|((r, t), s)| r.c(t, s.as_deref())).collect::<Result<_>>()?;
    let mut raws = vec![std::ptr::null_mut(); c.len()];
    // SAFETY: as in process.
    let status = unsafe { (api()?.kvc_process_batch)(engine.raw, c.as_ptr(), c.len(), raws.as_mut_ptr()) };
    let error = engine.check(status).err();
    let responses = raws.into_iter().map(take).collect::<Result<Vec<_>>>()?;
    Ok(Batch { error, responses })
}

pub(crate) fn submit(engine: &Arc<Shared>, request: &Request) -> Result<Ticket> {
    let (mut texts, sink, mut id) = (Texts::default(), request.sink(), 0);
    let c = request.c(&mut texts, sink.as_deref())?;
    // SAFETY: kvc copies the request; the sink lives as long as the ticket, or as the engine.
    engine.check(unsafe { (api()?.kvc_submit)(engine.raw, &c, &mut id) })?;
    Ok(Ticket { engine: engine.clone(), sink, id, done: false })
}

/// A submitted request. Dropping it cancels what still runs.
pub struct Ticket {
    engine: Arc<Shared>,
    sink: Option<Box<TextSink>>,
    id: u64,
    done: bool,
}

impl Ticket {
    /// Its number, as [`Engine::poll`](crate::Engine::poll) gives it.
    pub fn id(&self) -> u64 {
        self.id
    }
    /// The answer, when it is complete.
    pub fn wait(&mut self) -> Result<Response> {
        self.wait_ns(u64::MAX)?.ok_or_else(|| Error::new(Status::INTERNAL, "no response"))
    }
    /// The same; `None` if it is not complete in time.
    pub fn wait_for(&mut self, time: Duration) -> Result<Option<Response>> {
        self.wait_ns(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }
    fn wait_ns(&mut self, ns: u64) -> Result<Option<Response>> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: lives during the call.
        let status = unsafe { (api()?.kvc_wait)(self.engine.raw, self.id, ns, &mut raw) };
        if status == raw::KVC_PENDING {
            return Ok(None);
        }
        self.done |= !raw.is_null();
        finish(&self.engine, status, raw, self.sink.as_deref())
    }
    /// The next piece of the text: `Some("")` if none came in time, `None` when the text is complete.
    pub fn next_piece(&mut self, time: Duration) -> Result<Option<String>> {
        let (mut buffer, mut size) = ([0u8; 1024], 0);
        let ns = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: the buffer is as large as said.
        let status = unsafe { (api()?.kvc_next)(self.engine.raw, self.id, ns, buffer.as_mut_ptr().cast(), buffer.len(), &mut size) };
        match self.engine.check(status)? {
            raw::KVC_END => Ok(None),
            raw::KVC_PENDING => Ok(Some(String::new())),
            _ => Ok(Some(String::from_utf8_lossy(&buffer[..size]).into_owned())),
        }
    }
    /// The text, piece by piece: `for piece in ticket.stream()`.
    pub fn stream(&mut self) -> Stream<'_> {
        Stream { ticket: Some(self) }
    }
    /// Its response then has the text so far and [`Status::CANCELLED`].
    pub fn cancel(&self) -> Result<()> {
        // SAFETY: a number.
        self.engine.check(unsafe { (api()?.kvc_cancel)(self.engine.raw, self.id) }).map(|_| ())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if let Ok(api) = api() {
            // SAFETY: a number.
            unsafe { (api.kvc_ticket_free)(self.engine.raw, self.id) };
        }
        // A step may be inside of the callback at this moment.
        if let Some(sink) = self.sink.take() {
            self.engine.retire(sink);
        }
    }
}

/// Pieces of a text; ends with the text or after an error.
pub struct Stream<'a> {
    ticket: Option<&'a mut Ticket>,
}

impl Iterator for Stream<'_> {
    type Item = Result<String>;
    fn next(&mut self) -> Option<Self::Item> {
        let next = self.ticket.as_mut()?.next_piece(Duration::MAX).transpose();
        if !matches!(next, Some(Ok(_))) {
            self.ticket = None;
        }
        next
    }
}
