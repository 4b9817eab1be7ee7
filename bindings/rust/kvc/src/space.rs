//! Spaces: the identity of a model's K/V.
use std::ffi::CString;
use std::sync::Arc;

use kvc_sys::raw;

use crate::engine::{pointer, tenant_of, Shared};
use crate::error::{check, Result};
use crate::records::SpaceInfo;
use crate::session::Session;
use crate::{api, text, Absent, DType, Status};

/// Rotary position embedding.
#[derive(Clone, Debug)]
pub struct Rope {
    /// Theta.
    pub base: f64,
    /// Dimensions of a head that turn.
    pub dims: u32,
    /// Position scale; 1 = none.
    pub freq_scale: f64,
    /// "none", "linear", "yarn", ...
    pub scaling: String,
    /// Of the scaling; 0 where it has none. So are the next four.
    pub factor: f64,
    /// See `kvc.h`.
    pub attn_factor: f64,
    /// See `kvc.h`.
    pub beta_fast: f64,
    /// See `kvc.h`.
    pub beta_slow: f64,
    /// See `kvc.h`.
    pub original_context: u32,
    /// Pairs (2i, 2i+1) instead of (i, i + dims/2).
    pub interleaved: bool,
    /// Keys come in after RoPE.
    pub applied: bool,
}

impl Rope {
    /// The common form: no scaling, halves, keys rotated already.
    pub fn new(base: f64, dims: u32) -> Self {
        let (zero, scaling) = (0.0, "none".to_string());
        Self { base, dims, freq_scale: 1.0, scaling, factor: zero, attn_factor: zero, beta_fast: zero, beta_slow: zero,
               original_context: 0, interleaved: false, applied: true }
    }
}

/// All that K/V depends on but the tokens. What is neither given nor said to be absent is an error of
/// [`Engine::open_space`](crate::Engine::open_space).
#[derive(Clone, Debug, Default)]
pub struct SpaceDesc {
    label: Option<String>,
    weights: Vec<u8>,
    tokenizer: Option<Vec<u8>>,
    rope: Option<Rope>,
    adapters: Vec<(Vec<u8>, f64)>,
    attention: Option<String>,
    none: i32,
    n_layers: u32,
    n_kv_heads: u32,
    k_head_dim: u32,
    v_head_dim: u32,
    dtype: i32,
    page_tokens: u32,
    vocab_size: i32,
}

/// The C form and what it points to. Strings and vectors keep their place in memory when this moves.
pub(crate) struct CDesc {
    pub(crate) desc: raw::kvc_space_desc_t,
    _texts: Vec<CString>,
    _bytes: Vec<Vec<u8>>,
    _rope: Option<Box<raw::kvc_rope_t>>,
    _adapters: Vec<raw::kvc_adapter_t>,
}

// SAFETY: nothing in it is changed after it was made.
unsafe impl Send for CDesc {}
unsafe impl Sync for CDesc {}

impl SpaceDesc {
    /// With the digest of the weights' content, 1..64 bytes.
    pub fn new(weights: impl Into<Vec<u8>>) -> Self {
        Self { weights: weights.into(), dtype: DType::F32.0, ..Self::default() }
    }
    /// A name for messages; no part of the identity.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = Some(text.into());
        self
    }
    /// Digest of the tokenizer's content; `None`: there is none.
    pub fn tokenizer(mut self, digest: Option<&[u8]>) -> Self {
        self.tokenizer = digest.map(|d| d.to_vec());
        self.absent(digest.is_none(), Absent::TOKENIZER)
    }
    /// `None`: there is none.
    pub fn rope(mut self, rope: Option<Rope>) -> Self {
        let none = rope.is_none();
        self.rope = rope;
        self.absent(none, Absent::ROPE)
    }
    /// (digest, scale) in the order of application; empty: there is none.
    pub fn adapters(mut self, adapters: &[(&[u8], f64)]) -> Self {
        self.adapters = adapters.iter().map(|(d, s)| (d.to_vec(), *s)).collect();
        self.absent(adapters.is_empty(), Absent::ADAPTERS)
    }
    /// Other options that K/V depends on; `None`: there is none.
    pub fn attention(mut self, text: Option<&str>) -> Self {
        self.attention = text.map(|t| t.to_string());
        self.absent(text.is_none(), Absent::ATTENTION)
    }
    fn absent(mut self, yes: bool, bit: Absent) -> Self {
        self.none = if yes { self.none | bit.0 } else { self.none & !bit.0 };
        self
    }
    /// Number of layers.
    pub fn layers(mut self, n: u32) -> Self {
        self.n_layers = n;
        self
    }
    /// K/V heads of a layer.
    pub fn kv_heads(mut self, n: u32) -> Self {
        self.n_kv_heads = n;
        self
    }
    /// Dimensions of a key, and of a value (0: the same).
    pub fn head_dim(mut self, k: u32, v: u32) -> Self {
        (self.k_head_dim, self.v_head_dim) = (k, v);
        self
    }
    /// Of the numbers; default float32.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype.0;
        self
    }
    /// Tokens of a page.
    pub fn page_tokens(mut self, n: u32) -> Self {
        self.page_tokens = n;
        self
    }
    /// Tokens are below it; 0: unknown.
    pub fn vocab_size(mut self, n: i32) -> Self {
        self.vocab_size = n;
        self
    }

    pub(crate) fn c(&self) -> Result<CDesc> {
        let mut d = raw::kvc_space_desc_t::default();
        // SAFETY: the struct has its size.
        check(unsafe { (api()?.kvc_space_desc_init)(&mut d, d.struct_size) }, None)?;
        let (mut texts, mut bytes) = (Vec::new(), Vec::new());
        let mut text = |t: &str| -> Result<_> {
            let c = text::c_string(t)?;
            let p = c.as_ptr();
            texts.push(c);
            Ok(p)
        };
        let mut digest = |b: &[u8]| {
            let b = b.to_vec();
            let place = (b.as_ptr().cast(), b.len());
            bytes.push(b);
            place
        };
        if let Some(label) = &self.label {
            d.label = text(label)?;
        }
        (d.weights_digest, d.weights_digest_size) = digest(&self.weights);
        if let Some(tokenizer) = &self.tokenizer {
            (d.tokenizer_digest, d.tokenizer_digest_size) = digest(tokenizer);
        }
        let mut rope = None;
        if let Some(r) = &self.rope {
            let c = raw::kvc_rope_t {
                base: r.base, freq_scale: r.freq_scale, scaling: text(&r.scaling)?, factor: r.factor, attn_factor: r.attn_factor,
                beta_fast: r.beta_fast, beta_slow: r.beta_slow, dims: r.dims, original_context: r.original_context,
                interleaved: r.interleaved as i32, applied: r.applied as i32, ..Default::default()
            };
            d.rope = &**rope.insert(Box::new(c));
        }
        if let Some(attention) = &self.attention {
            d.attention = text(attention)?;
        }
        let adapters: Vec<_> = self
            .adapters
            .iter()
            .map(|(content, scale)| {
                let (digest, digest_size) = digest(content);
                raw::kvc_adapter_t { digest, digest_size, scale: *scale, ..Default::default() }
            })
            .collect();
        if !adapters.is_empty() {
            (d.adapters, d.n_adapters) = (adapters.as_ptr(), adapters.len() as u32);
        }
        d.none = self.none as u32;
        (d.n_layers, d.n_kv_heads, d.k_head_dim, d.v_head_dim) = (self.n_layers, self.n_kv_heads, self.k_head_dim, self.v_head_dim);
        (d.dtype, d.page_tokens, d.vocab_size) = (self.dtype, self.page_tokens, self.vocab_size);
        Ok(CDesc { desc: d, _texts: texts, _bytes: bytes, _rope: rope, _adapters: adapters })
    }
}

/// How to open a session.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Security domain.
    pub tenant: Option<String>,
    /// A name for messages.
    pub session_id: Option<String>,
    /// Of its pages.
    pub priority: i32,
    /// Pages stay private to the session and its forks.
    pub no_publish: bool,
    /// Finds no approximate pages and keeps its own in the clear, whatever the codec.
    pub exact: bool,
    /// Finds no pages that were encoded again at rest.
    pub no_aged: bool,
}

/// A handle on a space.
pub struct Space {
    pub(crate) raw: *mut raw::kvc_space_t,
    pub(crate) engine: Arc<Shared>,
}

// SAFETY: any thread may call any function on any handle.
unsafe impl Send for Space {}
unsafe impl Sync for Space {}

impl Space {
    /// Opens an empty session.
    pub fn open_session(&self, options: &SessionOptions) -> Result<Session> {
        let (tenant, id) = (tenant_of(options.tenant.as_deref())?, tenant_of(options.session_id.as_deref())?);
        let c = raw::kvc_session_options_t {
            tenant: pointer(&tenant), session_id: pointer(&id), priority: options.priority, no_publish: options.no_publish as u32,
            exact: options.exact as u32,
            no_aged: options.no_aged as u32,
            ..Default::default()
        };
        let mut raw = std::ptr::null_mut();
        // SAFETY: the texts live during the call.
        self.engine.check(unsafe { (api()?.kvc_session_open)(self.raw, &c, &mut raw) })?;
        Ok(Session::owning(raw))
    }
    /// The layout as resolved, and the digest.
    pub fn info(&self) -> Result<SpaceInfo> {
        let mut info = raw::kvc_space_info_t::default();
        // SAFETY: the struct has its size.
        self.engine.check(unsafe { (api()?.kvc_space_info)(self.raw, &mut info) })?;
        Ok(SpaceInfo::of(&info))
    }
    /// In what two spaces differ; "" if in nothing.
    pub fn diff(&self, other: &Space) -> Result<String> {
        let api = api()?;
        // SAFETY: the buffer is as large as said.
        text::read(|b, c, n| self.engine.check(unsafe { (api.kvc_space_diff)(self.raw, other.raw, b, c, n) }).map(|_| ()))
    }
    /// Writes the stored prefix of tokens into a prefix pack, one file to ship with an application; the number of tokens in it.
    pub fn pack_write(&self, path: &str, tenant: Option<&str>, tokens: &[i32]) -> Result<usize> {
        let (path, tenant, mut n) = (text::c_string(path)?, tenant_of(tenant)?, 0);
        // SAFETY: lengths as given; the texts live during the call.
        let status = unsafe { (api()?.kvc_pack_write)(self.raw, pointer(&tenant), tokens.as_ptr(), tokens.len(), path.as_ptr(), &mut n) };
        self.engine.check(status)?;
        Ok(n)
    }
    /// Identities of the whole pages of a token sequence.
    pub fn page_ids(&self, tenant: Option<&str>, tokens: &[i32]) -> Result<Vec<[u8; 32]>> {
        let (api, tenant, mut ids, mut n) = (api()?, tenant_of(tenant)?, Vec::<[u8; 32]>::new(), 0);
        loop {
            // SAFETY: room for as many identities as said.
            let status = unsafe {
                let room = if ids.is_empty() { std::ptr::null_mut() } else { ids.as_mut_ptr().cast() };
                (api.kvc_space_page_ids)(self.raw, pointer(&tenant), tokens.as_ptr(), tokens.len(), room, ids.len(), &mut n)
            };
            if Status(status) != Status::BUFFER {
                self.engine.check(status)?;
                ids.truncate(n);
                return Ok(ids);
            }
            ids.resize(n, [0; 32]);
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if let Ok(api) = api() {
            // SAFETY: ours.
            unsafe { (api.kvc_space_close)(self.raw) }
        }
    }
}
