//! A model written in Rust, behind `kvc_backend_t`.
use std::any::Any;
use std::ffi::CString;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use kvc_sys::raw;

use crate::error::{Error, Result};
use crate::request::words_of;
use crate::session::SessionView;
use crate::space::{CDesc, SpaceDesc};
use crate::{text, BackendKind, Status};

/// What a model is.
pub struct ModelInfo {
    /// For people.
    pub name: String,
    /// Identity and layout; `vocab_size` is the number of logits.
    pub space: SpaceDesc,
    /// Longest sequence, tokens.
    pub context: u32,
    /// Most tokens in one forward call; 0 = no limit.
    pub max_batch_tokens: u32,
    /// Token put before a text prompt.
    pub bos: Option<i32>,
    /// Token that ends a text.
    pub eos: Option<i32>,
    /// Further tokens that end a text.
    pub ends: Vec<i32>,
    /// OWN_KV: most tokens over all its open sequences together; 0 = no limit.
    pub total_tokens: u32,
    /// OWN_KV: its sequences are kept as states, one about every so many tokens; 0 = they are not.
    pub state_tokens: u32,
    /// How it works, in one line.
    pub details: String,
}

impl ModelInfo {
    /// With what every model has.
    pub fn new(name: impl Into<String>, space: SpaceDesc, context: u32) -> Self {
        Self { name: name.into(), space, context, max_batch_tokens: 0, bos: None, eos: None, ends: Vec::new(), total_tokens: 0,
               state_tokens: 0, details: String::new() }
    }
}

/// One sequence's share of a forward call.
pub struct Forward<'a> {
    /// As given to `sequence_open`.
    pub sequence: u64,
    /// PAGED: read the past from it, append K/V of the tokens, do not commit.
    pub session: Option<SessionView>,
    /// The next tokens.
    pub tokens: &'a [i32],
    /// Of the first of them.
    pub position: usize,
    /// For the last token, to be filled in.
    pub logits: Option<&'a mut [f32]>,
}

/// A model. A function that fails or panics fails the request with its words. `kvc.h` says from which threads each is called.
pub trait Backend: Send + Sync + 'static {
    /// Whether it keeps K/V of its own.
    fn kind(&self) -> BackendKind {
        BackendKind::PAGED
    }
    /// Called once for each engine.
    fn describe(&self) -> Result<ModelInfo>;
    /// Without bos.
    fn tokenize(&self, text: &[u8]) -> Result<Vec<i32>>;
    /// The bytes of one token.
    fn detokenize(&self, token: i32) -> Result<Vec<u8>>;
    /// A new, empty sequence.
    fn sequence_open(&self, _sequence: u64) -> Result<()> {
        Ok(())
    }
    /// Its end.
    fn sequence_close(&self, _sequence: u64) {}
    /// Computes the next tokens of the sequences.
    fn forward(&self, items: &mut [Forward<'_>]) -> Result<()>;
    /// OWN_KV: `session.append` for every layer of n tokens from a position on.
    fn export_kv(&self, _sequence: u64, _session: &SessionView, _from: usize, _n: usize) -> Result<()> {
        Err(unsupported())
    }
    /// OWN_KV: `session.read` of these tokens into the sequence.
    fn import_kv(&self, _sequence: u64, _session: &SessionView, _tokens: &[i32], _from: usize) -> Result<()> {
        Err(unsupported())
    }
    /// OWN_KV: cuts a sequence to its first n tokens.
    fn truncate(&self, _sequence: u64, _n: usize) -> Result<()> {
        Err(unsupported())
    }
    /// A conversation of (role, content) as the model's prompt text.
    fn chat_text(&self, _messages: &[(String, String)], _answer: bool) -> Result<String> {
        Err(unsupported())
    }
    /// OWN_KV with `state_tokens`: the whole state of a sequence of n tokens.
    fn save_state(&self, _sequence: u64, _n: usize) -> Result<Vec<u8>> {
        Err(unsupported())
    }
    /// OWN_KV with `state_tokens`: takes the state of these tokens into an empty sequence.
    fn load_state(&self, _sequence: u64, _tokens: &[i32], _state: &[u8]) -> Result<()> {
        Err(unsupported())
    }
    /// An engine stopped using it.
    fn released(&self) {}
}

fn unsupported() -> Error {
    Error::new(Status::UNSUPPORTED, "the backend does not have this function")
}

/// A backend, and what its description points to.
struct Running {
    backend: Arc<dyn Backend>,
    described: Mutex<Vec<Described>>,
    vocab_size: std::sync::atomic::AtomicUsize,
}

struct Described {
    space: Box<CDesc>,
    name: CString,
    details: CString,
    ends: Vec<i32>,
}

/// The table of a backend, and what must live as long as it is in use.
pub(crate) fn table_of(backend: Arc<dyn Backend>) -> (raw::kvc_backend_t, Arc<dyn Any + Send + Sync>) {
    let own = backend.kind() == BackendKind::OWN_KV;
    let kind = backend.kind().0;
    let running = Arc::new(Running { backend, described: Mutex::default(), vocab_size: Default::default() });
    let mut table = raw::kvc_backend_t {
        user_data: Arc::as_ptr(&running) as *mut c_void,
        kind,
        describe: Some(describe),
        tokenize: Some(tokenize),
        detokenize: Some(detokenize),
        sequence_open: Some(sequence_open),
        sequence_close: Some(sequence_close),
        forward: Some(forward),
        destroy: Some(destroy),
        chat_text: Some(chat_text),
        ..Default::default()
    };
    if own {
        table.export_kv = Some(export_kv);
        table.import_kv = Some(import_kv);
        table.truncate = Some(truncate);
        table.save_state = Some(save_state);
        table.load_state = Some(load_state);
    }
    (table, running)
}

/// Runs a function of the backend so that neither an error nor a panic leaves it but as a status with words.
unsafe fn guard(user: *mut c_void, words: *mut c_char, size: usize, run: impl FnOnce(&Running) -> Result<()>) -> i32 {
    let running = &*user.cast::<Running>();
    let error = match catch_unwind(AssertUnwindSafe(|| run(running))) {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => error,
        Err(panic) => Error::new(Status::USER, words_of(&*panic)),
    };
    if !words.is_null() && size > 0 {
        let mut n = error.message.len().min(size - 1);
        while !error.message.is_char_boundary(n) {
            n -= 1;
        }
        std::ptr::copy_nonoverlapping(error.message.as_ptr(), words.cast(), n);
        *words.add(n) = 0;
    }
    error.code.0
}

/// Writes as much as there is room for, and the full length.
unsafe fn give<T>(from: &[T], to: *mut T, capacity: usize, n: *mut usize) {
    *n = from.len();
    if !to.is_null() {
        std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len().min(capacity));
    }
}

unsafe fn tokens<'a>(p: *const i32, n: u32) -> &'a [i32] {
    if n == 0 {
        return &[];
    }
    std::slice::from_raw_parts(p, n as usize)
}

unsafe extern "C" fn describe(user: *mut c_void, info: *mut raw::kvc_model_info_t, words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| {
        let told = r.backend.describe()?;
        let described = Described {
            space: Box::new(told.space.c()?),
            name: text::c_string(&told.name)?,
            details: text::c_string(&told.details)?,
            ends: told.ends,
        };
        let vocab = described.space.desc.vocab_size.max(0) as usize;
        r.vocab_size.store(vocab, std::sync::atomic::Ordering::SeqCst);
        let i = &mut *info;
        (i.name, i.details) = (described.name.as_ptr(), described.details.as_ptr());
        i.space = &described.space.desc as *const _ as *mut _;
        (i.ends, i.n_ends) = (described.ends.as_ptr(), described.ends.len() as u32);
        (i.context, i.max_batch_tokens) = (told.context, told.max_batch_tokens);
        (i.bos, i.eos) = (told.bos.unwrap_or(-1), told.eos.unwrap_or(-1));
        (i.total_tokens, i.state_tokens) = (told.total_tokens, told.state_tokens);
        r.described.lock().unwrap_or_else(|p| p.into_inner()).push(described);
        Ok(())
    })
}

#[rustfmt::skip]
unsafe extern "C" fn tokenize(user: *mut c_void, text: *const c_char, text_size: usize, to: *mut i32, capacity: usize, n: *mut usize,
                              words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| Ok(give(&r.backend.tokenize(text::bytes(text.cast(), text_size))?, to, capacity, n)))
}

#[rustfmt::skip]
unsafe extern "C" fn detokenize(user: *mut c_void, token: i32, to: *mut c_char, capacity: usize, n: *mut usize, words: *mut c_char,
                                size: usize) -> i32 {
    guard(user, words, size, |r| Ok(give(&r.backend.detokenize(token)?, to.cast(), capacity, n)))
}

unsafe extern "C" fn sequence_open(user: *mut c_void, sequence: u64, words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| r.backend.sequence_open(sequence))
}

unsafe extern "C" fn sequence_close(user: *mut c_void, sequence: u64) {
    guard(user, std::ptr::null_mut(), 0, |r| Ok(r.backend.sequence_close(sequence)));
}

unsafe extern "C" fn forward(user: *mut c_void, items: *const raw::kvc_forward_t, n: u32, words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| {
        let vocab = r.vocab_size.load(std::sync::atomic::Ordering::SeqCst);
        let (mut shares, mut place) = (Vec::with_capacity(n as usize), items.cast::<u8>());
        for _ in 0..n {
            let item = &*place.cast::<raw::kvc_forward_t>();
            shares.push(Forward {
                sequence: item.sequence,
                session: (!item.session.is_null()).then(|| SessionView { raw: item.session }),
                tokens: tokens(item.tokens, item.n),
                position: item.position as usize,
                logits: (!item.logits.is_null()).then(|| {
                    item.logits.write_bytes(0, vocab); // a slice must not show memory that was never written
                    std::slice::from_raw_parts_mut(item.logits, vocab)
                }),
            });
            place = place.add(item.struct_size); // the distance between elements
        }
        r.backend.forward(&mut shares)
    })
}

#[rustfmt::skip]
unsafe extern "C" fn export_kv(user: *mut c_void, sequence: u64, session: *mut raw::kvc_session_t, from: u32, n: u32,
                               words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| r.backend.export_kv(sequence, &SessionView { raw: session }, from as usize, n as usize))
}

#[rustfmt::skip]
unsafe extern "C" fn import_kv(user: *mut c_void, sequence: u64, session: *mut raw::kvc_session_t, ids: *const i32, from: u32, n: u32,
                               words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| r.backend.import_kv(sequence, &SessionView { raw: session }, tokens(ids, n), from as usize))
}

unsafe extern "C" fn truncate(user: *mut c_void, sequence: u64, n: u32, words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| r.backend.truncate(sequence, n as usize))
}

#[rustfmt::skip]
unsafe extern "C" fn chat_text(user: *mut c_void, messages: *const raw::kvc_message_t, n: usize, answer: i32, to: *mut c_char,
                               capacity: usize, length: *mut usize, words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| {
        let (mut pairs, mut place) = (Vec::new(), messages.cast::<u8>());
        for _ in 0..n {
            let message = &*place.cast::<raw::kvc_message_t>();
            pairs.push((text::terminated(message.role), text::terminated(message.content)));
            place = place.add(message.struct_size);
        }
        Ok(give(r.backend.chat_text(&pairs, answer != 0)?.as_bytes(), to.cast(), capacity, length))
    })
}

#[rustfmt::skip]
unsafe extern "C" fn save_state(user: *mut c_void, sequence: u64, n: u32, to: *mut c_void, capacity: usize, length: *mut usize,
                                words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| {
        let state = r.backend.save_state(sequence, n as usize)?;
        Ok(give(&state, if capacity >= state.len() { to.cast() } else { std::ptr::null_mut() }, capacity, length))
    })
}

#[rustfmt::skip]
unsafe extern "C" fn load_state(user: *mut c_void, sequence: u64, ids: *const i32, n: u32, state: *const c_void, state_size: usize,
                                words: *mut c_char, size: usize) -> i32 {
    guard(user, words, size, |r| r.backend.load_state(sequence, tokens(ids, n), text::bytes(state.cast(), state_size)))
}

unsafe extern "C" fn destroy(user: *mut c_void) {
    guard(user, std::ptr::null_mut(), 0, |r| Ok(r.backend.released()));
}
