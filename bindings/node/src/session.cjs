// Sessions: token sequences that are being extended.
'use strict';

const { lib } = require('./library.cjs');
const { Handle } = require('./handle.cjs');
const { check, error } = require('./errors.cjs');
const { CloseHint, Status } = require('./constants.cjs');
const records = require('./records.cjs');
const { some, struct, tokens, written } = require('./memory.cjs');
const { cTensors } = require('./tensor.cjs');

/** A session that somebody else owns: what a backend finds, for the time of that call. */
class SessionView extends Handle {
  constructor(raw, release = null) {
    super(raw, release);
  }

  _check(status) {
    return check(status, lib.kvc_session_last_error, this._raw);
  }

  /** Attaches the longest stored prefix; the session's length afterwards: so many tokens need not be computed. */
  match(list) {
    const ids = tokens(list);
    const reused = new BigUint64Array(1);
    this._check(lib.kvc_session_match(this._raw, some(ids), ids.length, reused));
    return Number(reused[0]);
  }

  /** Why the last match found no more: { reason, text }. */
  miss() {
    const reason = new Int32Array(1);
    const text = written((b, c, n) => this._check(lib.kvc_session_miss(this._raw, reason, b, c, n)));
    return { reason: reason[0], text };
  }

  /** K and V, [n][heads][dim], of the next n tokens of one layer. */
  append(layer, k, v, n = k.shape[0]) {
    const both = [k._c(), v._c()];
    this._check(lib.kvc_session_append(this._raw, layer, both[0].memory, both[1].memory, n));
  }

  /** The same for all layers at once; all or nothing. */
  appendAll(k, v, n = k.length ? k[0].shape[0] : 0) {
    if (!k.length || k.length !== v.length) {
      throw error(Status.SHAPE, `${k.length} K tensors but ${v.length} V tensors; give one of each for every layer`);
    }
    const both = [cTensors(k), cTensors(v)];
    this._check(lib.kvc_session_append_all(this._raw, both[0].memory, both[1].memory, k.length, n));
  }

  /** Names the tokens that were appended; full pages can be found from now on. */
  commit(list) {
    const ids = tokens(list);
    this._check(lib.kvc_session_commit(this._raw, some(ids), ids.length));
  }

  /** Gathers n tokens of one Plane of one layer into a Tensor [n][heads][dim], and gives it back. */
  read(layer, plane, from, n, out) {
    const c = out._c();
    this._check(lib.kvc_session_read(this._raw, layer, plane, from, n, c.memory));
    return out;
  }

  /** K and V of all layers; an empty list: that plane is not wanted. */
  readAll(from, n, k, v) {
    if (k.length && v.length && k.length !== v.length) throw error(Status.SHAPE, `${k.length} K tensors but ${v.length} V tensors`);
    const both = [k, v].map((list) => (list.length ? cTensors(list) : { memory: null }));
    this._check(lib.kvc_session_read_all(this._raw, from, n, both[0].memory, both[1].memory, Math.max(k.length, v.length)));
  }

  /** Attention of queries [n][heads][k_head_dim] over all that one layer has, into out [n][heads][v_head_dim]. */
  attend(layer, query, out, how = {}) {
    const c = struct('kvc_attend_t');
    check(lib.kvc_attend_init(c.memory, c.sizeof));
    c.f64('scale', how.scale || 0).f64('softcap', how.softcap || 0).u64('window', how.window || 0).u64('sinks', how.sinks || 0);
    c.u64('later', how.later || 0).u32('bidirectional', how.bidirectional ? 1 : 0).u32('n_threads', how.threads || 0);
    for (const [field, list] of [['alibi_slopes', how.alibiSlopes], ['sink_scores', how.sinkScores]]) {
      if (list) {
        if (list.length !== query.shape[1]) throw error(Status.SHAPE, `${field} has ${list.length} numbers, the query ${query.shape[1]} heads`);
        c.pointer(field, Float32Array.from(list));
      }
    }
    const both = [query._c(), out._c()];
    this._check(lib.kvc_session_attend(this._raw, layer, c.memory, both[0].memory, both[1].memory));
    return c.keep && out;
  }

  /** Cuts it to its first n committed tokens. */
  truncate(n) {
    this._check(lib.kvc_session_truncate(this._raw, n));
  }

  /** Keeps its sealed pages from eviction, even after it is closed; false takes it back. */
  pin(pinned = true) {
    this._check(lib.kvc_session_pin(this._raw, pinned ? 1 : 0));
  }

  /** A Priority, for its pages, present and to come. */
  setPriority(priority) {
    this._check(lib.kvc_session_set_priority(this._raw, priority));
  }

  /** A Hint on its future. */
  hint(hint) {
    this._check(lib.kvc_session_hint(this._raw, hint));
  }

  /** Its tokens are expected to be used again so many milliseconds after it closes; 0 takes it back. */
  expect(inMs) {
    this._check(lib.kvc_session_expect(this._raw, BigInt(Math.round(inMs * 1e6))));
  }

  /** How many tokens the model generated in this session, held by it or not. */
  generated(tokens) {
    this._check(lib.kvc_session_generated(this._raw, BigInt(tokens)));
  }

  info() {
    const info = struct('kvc_session_info_t');
    this._check(lib.kvc_session_info(this._raw, info.memory));
    return records.sessionInfo(info.view);
  }

  /** n committed tokens. */
  tokens(from, n) {
    // A range beyond the end is refused by kvc, in its words; no memory is taken for it.
    const out = new Int32Array(from + n <= this.info().length ? Math.max(n, 1) : 1);
    this._check(lib.kvc_session_tokens(this._raw, from, n, out));
    return out.subarray(0, n);
  }
}

/** A session of one's own. While it is open, its pages are not evicted; close() leaves its tokens behind to be found. */
class Session extends SessionView {
  constructor(raw, engine) {
    super(raw, () => lib.kvc_session_close(raw, CloseHint.KEEP, 0));
    this._engine = engine;
  }

  /** hint: a CloseHint on what becomes of it; inMs: when an idle one is expected back. */
  close(hint = CloseHint.KEEP, inMs = 0) {
    const status = lib.kvc_session_close(this._raw, hint, BigInt(Math.round(inMs * 1e6)));
    if (status !== Status.CLOSED) this._check(status);
    this._forget();
  }

  /** A second session with the same tokens; pages are shared. */
  fork() {
    const out = new BigUint64Array(1);
    this._check(lib.kvc_session_fork(this._raw, out));
    return new Session(out[0], this._engine);
  }
}

module.exports = { Session, SessionView };
