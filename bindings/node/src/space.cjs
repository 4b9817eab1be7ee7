// Spaces: the identity of a model's K/V.
'use strict';

const { lib } = require('./library.cjs');
const { Handle } = require('./handle.cjs');
const { check } = require('./errors.cjs');
const { Absent, DType, Status } = require('./constants.cjs');
const records = require('./records.cjs');
const { cstring, octets, some, struct, structs, tokens, written } = require('./memory.cjs');
const { Session } = require('./session.cjs');

/** kvc_space_desc_t of an object. null says that the model has none; what is left out is an error of kvc. */
function describe(desc) {
  const c = struct('kvc_space_desc_t');
  check(lib.kvc_space_desc_init(c.memory, c.sizeof));
  const weights = octets(desc.weights);
  c.pointer('label', cstring(desc.label)).pointer('weights_digest', some(weights)).u64('weights_digest_size', weights.byteLength);
  let none = 0;
  if (desc.tokenizer === null) none |= Absent.TOKENIZER;
  else if (desc.tokenizer !== undefined) {
    const digest = octets(desc.tokenizer);
    c.pointer('tokenizer_digest', some(digest)).u64('tokenizer_digest_size', digest.byteLength);
  }
  if (desc.rope === null) none |= Absent.ROPE;
  else if (desc.rope !== undefined) {
    const { base, dims, freqScale = 1, scaling = 'none', interleaved = false, applied = true, ...rest } = desc.rope;
    const r = struct('kvc_rope_t');
    r.f64('base', base).f64('freq_scale', freqScale).pointer('scaling', cstring(scaling)).u32('dims', dims);
    r.f64('factor', rest.factor || 0).f64('attn_factor', rest.attnFactor || 0).f64('beta_fast', rest.betaFast || 0);
    r.f64('beta_slow', rest.betaSlow || 0).u32('original_context', rest.originalContext || 0);
    r.u32('interleaved', interleaved ? 1 : 0).u32('applied', applied ? 1 : 0);
    c.pointer('rope', r);
  }
  if (desc.adapters === null || (desc.adapters && !desc.adapters.length)) none |= Absent.ADAPTERS;
  else if (desc.adapters !== undefined) {
    const all = structs('kvc_adapter_t', desc.adapters.length);
    desc.adapters.forEach(({ digest, scale = 1 }, i) => {
      const own = octets(digest);
      all.items[i].pointer('digest', some(own)).u64('digest_size', own.byteLength).f64('scale', scale);
    });
    c.pointer('adapters', all.memory).u32('n_adapters', desc.adapters.length);
    c.keep.push(all);
  }
  if (desc.attention === null) none |= Absent.ATTENTION;
  else if (desc.attention !== undefined) c.pointer('attention', cstring(desc.attention));
  c.u32('none', none).u32('n_layers', desc.layers || 0).u32('n_kv_heads', desc.kvHeads || 0).u32('k_head_dim', desc.kHeadDim || 0);
  c.u32('v_head_dim', desc.vHeadDim || 0).u32('dtype', desc.dtype || DType.F32).u32('page_tokens', desc.pageTokens || 0);
  return c.u32('vocab_size', desc.vocabSize || 0);
}

class Space extends Handle {
  constructor(raw, engine) {
    super(raw, () => lib.kvc_space_close(raw));
    this._engine = engine;
  }

  _check(status) {
    return this._engine._check(status);
  }

  /** Its layout as resolved, and its digest. */
  info() {
    const info = struct('kvc_space_info_t');
    this._check(lib.kvc_space_info(this._raw, info.memory));
    return records.spaceInfo(info.view);
  }

  /** In what it differs from another; '' if in nothing. */
  diff(other) {
    return written((b, c, n) => this._check(lib.kvc_space_diff(this._raw, other._raw, b, c, n)));
  }

  /** The identities of the whole pages of a token sequence. */
  pageIds(list, { tenant = null } = {}) {
    const own = tokens(list);
    const n = new BigUint64Array(1);
    for (let capacity = 64; ; capacity = Number(n[0])) {
      const ids = new Uint8Array(32 * capacity);
      const status = lib.kvc_space_page_ids(this._raw, cstring(tenant), some(own), own.length, ids, capacity, n);
      if (status !== Status.BUFFER) {
        this._check(status);
        return Array.from({ length: Number(n[0]) }, (_, i) => ids.slice(32 * i, 32 * i + 32));
      }
    }
  }

  /** Writes the stored prefix of tokens into a prefix pack, one file to ship with an application; the number of tokens in it. */
  packWrite(path, list, { tenant = null } = {}) {
    const own = tokens(list);
    const n = new BigUint64Array(1);
    this._check(lib.kvc_pack_write(this._raw, cstring(tenant), some(own), own.length, cstring(path), n));
    return Number(n[0]);
  }

  /** An empty session. */
  openSession({ tenant = null, sessionId = null, priority = 0, noPublish = false, exact = false, noAged = false } = {}) {
    const c = struct('kvc_session_options_t').pointer('tenant', cstring(tenant)).pointer('session_id', cstring(sessionId));
    c.u32('priority', priority).u32('no_publish', noPublish ? 1 : 0).u32('exact', exact ? 1 : 0)
      .u32('no_aged', noAged ? 1 : 0);
    const out = new BigUint64Array(1);
    this._check(lib.kvc_session_open(this._raw, c.memory, out));
    return new Session(out[0], this._engine);
  }
}

module.exports = { Space, describe };
