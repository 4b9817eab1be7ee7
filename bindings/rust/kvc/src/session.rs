//! Sessions: token sequences that are being extended.
use std::ops::Deref;
use std::time::Duration;

use kvc_sys::raw;

use crate::error::{check, Error, Result};
use crate::records::SessionInfo;
use crate::tensor::{Tensor, TensorMut};
use crate::{api, text, CloseHint, MissReason, Plane, Status};

/// How to attend (`kvc_attend_t`); the default is causal, nothing else.
#[derive(Clone, Debug, Default)]
pub struct Attend {
    /// Of scores; 0 = 1 / sqrt(k_head_dim).
    pub scale: f64,
    /// c > 0: score := c * tanh(score / c).
    pub softcap: f64,
    /// A query sees only tokens less than so many positions away; 0 = no limit.
    pub window: u64,
    /// So many first tokens are seen whatever the window.
    pub sinks: u64,
    /// Tokens that the layer has after the last query.
    pub later: u64,
    /// A query sees later tokens.
    pub bidirectional: bool,
    /// Threads at work, the caller's included.
    pub n_threads: u32,
    /// One per query head.
    pub alibi_slopes: Option<Vec<f32>>,
    /// One per query head.
    pub sink_scores: Option<Vec<f32>>,
}

/// A session that somebody else owns: what a [`Backend`](crate::Backend) finds in [`Forward`](crate::Forward).
pub struct SessionView {
    pub(crate) raw: *mut raw::kvc_session_t,
}

// SAFETY: any thread may call any function on any handle.
unsafe impl Send for SessionView {}
unsafe impl Sync for SessionView {}

impl SessionView {
    /// Attaches the longest stored prefix; the session's length afterwards.
    pub fn match_tokens(&self, tokens: &[i32]) -> Result<usize> {
        let mut reused = 0;
        // SAFETY: lengths as given.
        self.check(unsafe { (api()?.kvc_session_match)(self.raw, tokens.as_ptr(), tokens.len(), &mut reused) })?;
        Ok(reused)
    }
    /// Why the last match found no more.
    pub fn miss(&self) -> Result<(MissReason, String)> {
        let (api, mut reason) = (api()?, 0);
        // SAFETY: the buffer is as large as said.
        let words = text::read(|b, c, n| self.check(unsafe { (api.kvc_session_miss)(self.raw, &mut reason, b, c, n) }))?;
        Ok((MissReason(reason), words))
    }
    /// K and V of the next n tokens of one layer.
    pub fn append(&self, layer: u32, k: &Tensor<'_>, v: &Tensor<'_>, n: usize) -> Result<()> {
        // SAFETY: kvc checks the tensors against their sizes.
        self.check(unsafe { (api()?.kvc_session_append)(self.raw, layer, &k.c, &v.c, n) })
    }
    /// The same for all layers at once; all or nothing.
    pub fn append_all(&self, k: &[Tensor<'_>], v: &[Tensor<'_>], n: usize) -> Result<()> {
        even(k.len(), v.len())?;
        let (k, v): (Vec<_>, Vec<_>) = (k.iter().map(|t| t.c).collect(), v.iter().map(|t| t.c).collect());
        // SAFETY: as above.
        self.check(unsafe { (api()?.kvc_session_append_all)(self.raw, k.as_ptr(), v.as_ptr(), k.len() as u32, n) })
    }
    /// Names the tokens that were appended.
    pub fn commit(&self, tokens: &[i32]) -> Result<()> {
        // SAFETY: lengths as given.
        self.check(unsafe { (api()?.kvc_session_commit)(self.raw, tokens.as_ptr(), tokens.len()) })
    }
    /// n tokens of one plane of one layer, from a position on.
    pub fn read(&self, layer: u32, plane: Plane, from: usize, n: usize, out: &mut TensorMut<'_>) -> Result<()> {
        // SAFETY: kvc writes within the tensor's size.
        self.check(unsafe { (api()?.kvc_session_read)(self.raw, layer, plane.0, from, n, &out.c) })
    }
    /// K and V of all layers; an empty slice: that plane is not wanted.
    pub fn read_all(&self, from: usize, n: usize, k: &mut [TensorMut<'_>], v: &mut [TensorMut<'_>]) -> Result<()> {
        if !k.is_empty() && !v.is_empty() {
            even(k.len(), v.len())?;
        }
        let (k, v): (Vec<_>, Vec<_>) = (k.iter().map(|t| t.c).collect(), v.iter().map(|t| t.c).collect());
        let place = |t: &Vec<raw::kvc_tensor_t>| if t.is_empty() { std::ptr::null() } else { t.as_ptr() };
        // SAFETY: as above.
        self.check(unsafe { (api()?.kvc_session_read_all)(self.raw, from, n, place(&k), place(&v), k.len().max(v.len()) as u32) })
    }
    /// Attention of the queries `[n][heads][k_head_dim]` over all that one layer has, into `out` `[n][heads][v_head_dim]`.
    pub fn attend(&self, layer: u32, how: &Attend, query: &Tensor<'_>, out: &mut TensorMut<'_>) -> Result<()> {
        let heads = if query.c.n_dims == 3 { query.c.shape[1] as usize } else { 0 };
        let mut c = raw::kvc_attend_t::default();
        // SAFETY: the struct has its size.
        check(unsafe { (api()?.kvc_attend_init)(&mut c, c.struct_size) }, None)?;
        for (name, from, to) in [("alibi_slopes", &how.alibi_slopes, &mut c.alibi_slopes), ("sink_scores", &how.sink_scores, &mut c.sink_scores)] {
            if let Some(numbers) = from {
                if numbers.len() != heads {
                    return Err(Error::new(Status::SHAPE, format!("{name} has {} numbers, the query {heads} heads", numbers.len())));
                }
                *to = numbers.as_ptr();
            }
        }
        (c.scale, c.softcap, c.window, c.sinks, c.later) = (how.scale, how.softcap, how.window, how.sinks, how.later);
        (c.bidirectional, c.n_threads) = (how.bidirectional as u32, how.n_threads);
        // SAFETY: kvc checks the tensors against their sizes; `how` lives during the call.
        self.check(unsafe { (api()?.kvc_session_attend)(self.raw, layer, &c, &query.c, &out.c) })
    }
    /// Cuts it to its first n committed tokens.
    pub fn truncate(&self, n: usize) -> Result<()> {
        // SAFETY: a number.
        self.check(unsafe { (api()?.kvc_session_truncate)(self.raw, n) })
    }
    /// Whether its sealed pages may be evicted.
    pub fn pin(&self, pinned: bool) -> Result<()> {
        // SAFETY: a number.
        self.check(unsafe { (api()?.kvc_session_pin)(self.raw, pinned as i32) })
    }
    /// Of its pages, present and to come.
    pub fn set_priority(&self, priority: i32) -> Result<()> {
        // SAFETY: a number.
        self.check(unsafe { (api()?.kvc_session_set_priority)(self.raw, priority) })
    }
    /// What is known of its future (`KVC_HINT_*`), for when it closes without saying more.
    pub fn hint(&self, hint: i32) -> Result<()> {
        // SAFETY: a number.
        self.check(unsafe { (api()?.kvc_session_hint)(self.raw, hint) })
    }
    /// Its tokens are expected to be used again about so many nanoseconds after it closes; 0 takes it back.
    pub fn expect(&self, in_ns: u64) -> Result<()> {
        // SAFETY: a number.
        self.check(unsafe { (api()?.kvc_session_expect)(self.raw, in_ns) })
    }
    /// So many tokens were generated by the model in this session, held by it or not.
    pub fn generated(&self, tokens: u64) -> Result<()> {
        // SAFETY: a number.
        self.check(unsafe { (api()?.kvc_session_generated)(self.raw, tokens) })
    }
    /// Describes it.
    pub fn info(&self) -> Result<SessionInfo> {
        let mut info = raw::kvc_session_info_t::default();
        // SAFETY: the struct has its size.
        self.check(unsafe { (api()?.kvc_session_info)(self.raw, &mut info) })?;
        Ok(SessionInfo::of(&info))
    }
    /// n committed tokens.
    pub fn tokens(&self, from: usize, n: usize) -> Result<Vec<i32>> {
        // A range beyond the end is refused by kvc, in its words; no memory is taken for it.
        let fits = from.checked_add(n).is_some_and(|end| end as u64 <= self.info().map_or(0, |i| i.length));
        let mut tokens = vec![0; if fits { n.max(1) } else { 1 }];
        // SAFETY: room for n tokens, or kvc refuses.
        self.check(unsafe { (api()?.kvc_session_tokens)(self.raw, from, n, tokens.as_mut_ptr()) })?;
        tokens.truncate(n);
        Ok(tokens)
    }

    fn check(&self, status: i32) -> Result<()> {
        let api = api()?;
        // SAFETY: the buffer is as large as said.
        check(status, Some(&|b, c| unsafe { (api.kvc_session_last_error)(self.raw, b, c) })).map(|_| ())
    }
}

fn even(k: usize, v: usize) -> Result<()> {
    if k == v && k > 0 {
        return Ok(());
    }
    Err(Error::new(Status::SHAPE, format!("{k} K tensors but {v} V tensors; give one of each for every layer")))
}

/// A session of one's own. Dropping it closes it with [`CloseHint::KEEP`].
pub struct Session {
    view: SessionView,
}

impl Session {
    pub(crate) fn owning(raw: *mut raw::kvc_session_t) -> Self {
        Self { view: SessionView { raw } }
    }
    /// A second session with the same committed tokens.
    pub fn fork(&self) -> Result<Session> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: lives during the call.
        self.check(unsafe { (api()?.kvc_session_fork)(self.raw, &mut raw) })?;
        Ok(Self::owning(raw))
    }
    /// Closes it and says what becomes of it; `until`: for [`CloseHint::IDLE`]. On failure it stays open; closing twice is allowed.
    pub fn close(&self, hint: CloseHint, until: Duration) -> Result<()> {
        let ns = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
        // SAFETY: a handle is a name: a second close finds nothing.
        let status = unsafe { (api()?.kvc_session_close)(self.raw, hint.0, ns) };
        if Status(status) == Status::CLOSED {
            return Ok(());
        }
        self.check(status)
    }
}

impl Deref for Session {
    type Target = SessionView;
    fn deref(&self) -> &SessionView {
        &self.view
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Ok(api) = api() {
            // SAFETY: ours, or closed already.
            unsafe { (api.kvc_session_close)(self.view.raw, CloseHint::KEEP.0, 0) };
        }
    }
}
