// The engine: a cache, its memory, and requests around a model.
'use strict';

const { lib } = require('./library.cjs');
const { Handle, onPool } = require('./handle.cjs');
const { Config } = require('./config.cjs');
const { check, error, wordsOf } = require('./errors.cjs');
const { Status } = require('./constants.cjs');
const { Ticket, fill, finish, take } = require('./request.cjs');
const { Space, describe } = require('./space.cjs');
const { room } = require('./tensor.cjs');
const records = require('./records.cjs');
const { FOR_EVER, chars, cstring, octets, some, struct, structs, tokens, written } = require('./memory.cjs');

const own = (request) => (typeof request === 'string' || ArrayBuffer.isView(request) || Array.isArray(request) ? { prompt: request } : request);

function page(id) {
  if (id.length !== 32) throw error(Status.INVALID, `a page's identity has 32 bytes, not ${id.length}`);
  return octets(id);
}

class Engine extends Handle {
  constructor(raw, entries, stepped) {
    super(raw, () => {
      onPool('kvc_engine_destroy', [raw]).then(() => entries.forEach((entry) => entry.drop()));
    });
    this._entries = entries;
    // Whether functions of ours may be called while this thread waits inside kvc: such a wait would never end.
    this._calls = entries.length > 0 && !stepped;
    this._closing = null;
  }

  /** Engine.open({ memory: '1GiB' }), Engine.open(config), Engine.open() */
  static async open(config = {}) {
    const given = config instanceof Config ? config : new Config(null, config);
    const entries = [...given._entries.values()].map((entry) => entry.share());
    try {
      const out = new BigUint64Array(1);
      const failed = struct('kvc_error_t');
      const status = await onPool('kvc_engine_create_with_error', [given._raw, out, failed.memory], failed);
      if (status < 0) throw error(status, chars(failed.view, failed.at.message, 508));
      return new Engine(out[0], entries, given.get('threads') === '0');
    } catch (failure) {
      entries.forEach((entry) => entry.drop());
      throw failure;
    } finally {
      if (given !== config) given.close();
    }
  }

  /** Cancels what runs, and lets calls end. Its spaces and sessions are closed with it. */
  close() {
    if (!this._closing) {
      this._forget();
      this._closing = onPool('kvc_engine_destroy', [this._raw]).then(() => this._entries.forEach((entry) => entry.drop()));
    }
    return this._closing;
  }

  _check(status) {
    return check(status, lib.kvc_engine_last_error, this._raw);
  }

  // --- requests

  /** Prompt in, answer out: text, tokens or { prompt, maxTokens, ... }. An aborted signal cancels the request. */
  async process(request, { signal } = {}) {
    const ticket = this.submit(request);
    try {
      return await ticket.wait({ signal });
    } finally {
      ticket.close();
    }
  }

  /** The same, keeping this thread until it is done. */
  processSync(request) {
    const given = fill(own(request));
    try {
      if (this._calls || given.sink) throw error(Status.INVALID, 'kvc would call functions of a thread that waits for kvc; use process');
      const out = new BigUint64Array(1);
      const status = lib.kvc_process(this._raw, given.c.memory, out);
      return finish(this, status, out[0], given.sink);
    } finally {
      given.drop();
    }
  }

  /** All together: { error, responses }; a response is null if its request was refused. */
  async processBatch(requests) {
    const all = structs('kvc_request_t', requests.length);
    const out = new BigUint64Array(Math.max(requests.length, 1));
    const given = requests.map((request, i) => fill(own(request), all.items[i]));
    try {
      const status = await onPool('kvc_process_batch', [this._raw, all.memory, requests.length, out], all);
      const words = wordsOf(status < 0 ? status : Status.CLOSED, lib.kvc_engine_last_error, this._raw);
      const responses = Array.from(out.subarray(0, requests.length), take);
      for (const { sink } of given) if (sink && sink.thrown) throw sink.thrown.error;
      return { error: status < 0 ? error(status, words) : null, responses };
    } finally {
      given.forEach((one) => one.drop());
    }
  }

  /** Queues a request and returns at once. */
  submit(request) {
    const given = fill(own(request));
    const out = new BigUint64Array(1);
    try {
      this._check(lib.kvc_submit(this._raw, given.c.memory, out));
    } catch (failure) {
      given.drop();
      throw failure;
    }
    return new Ticket(this, out[0], given);
  }

  /** The answer's text piece by piece: `for await (const piece of engine.stream(...))`. Leaving the loop cancels the request. */
  async* stream(request, { signal } = {}) {
    const ticket = this.submit(request);
    const abort = () => ticket.cancel();
    try {
      if (signal) {
        if (signal.aborted) abort();
        signal.addEventListener('abort', abort, { once: true });
      }
      yield* ticket;
      await ticket.wait({ signal });
    } finally {
      if (signal) signal.removeEventListener('abort', abort);
      ticket.close();
    }
  }

  /** Ids of tickets that completed since the last call, without waiting. */
  poll() {
    const n = new BigUint64Array(1);
    const tickets = new BigUint64Array(64);
    this._check(lib.kvc_poll(this._raw, tickets, tickets.length, n));
    return Array.from(tickets.subarray(0, Number(n[0])));
  }

  /** Option threads=0: one step on this thread; true if there is more to do. */
  step() {
    const busy = new Int32Array(1);
    this._check(lib.kvc_step(this._raw, busy));
    return busy[0] !== 0;
  }

  _tokens(call, capacity) {
    const n = new BigUint64Array(1);
    for (let room_ = capacity; ; room_ = Number(n[0])) {
      const out = new Int32Array(Math.max(room_, 1));
      const status = call(out, out.length, n);
      if (status !== Status.BUFFER) {
        this._check(status);
        return out.slice(0, Number(n[0]));
      }
    }
  }

  /** Text to tokens, without the bos that a request puts before it. */
  tokenize(text) {
    const bytes = octets(text);
    return this._tokens((out, capacity, n) => lib.kvc_tokenize(this._raw, some(bytes), bytes.byteLength, out, capacity, n), bytes.byteLength + 8);
  }

  detokenize(list) {
    const ids = tokens(list);
    return written((b, c, n) => this._check(lib.kvc_detokenize(this._raw, some(ids), ids.length, b, c, n)));
  }

  /** A conversation of { role, content } as the text of a prompt, in the model's own form. answer: it ends where the model's answer begins. */
  chatText(messages, answer = true) {
    const all = structs('kvc_message_t', messages.length);
    messages.forEach(({ role, content }, i) => all.items[i].pointer('role', cstring(role)).pointer('content', cstring(content)));
    return written((b, c, n) => this._check(lib.kvc_chat_text(this._raw, all.memory, all.items.length, answer ? 1 : 0, b, c, n)));
  }

  // --- tensors

  /** The space of an identity: { weights, tokenizer, rope, adapters, attention, layers, ... }; null says that the model has none. */
  openSpace(desc) {
    const c = describe(desc);
    const out = new BigUint64Array(1);
    this._check(lib.kvc_space_open(this._raw, c.memory, out));
    return new Space(out[0], this, c);
  }

  /** The space of the engine's own model. */
  space() {
    const out = new BigUint64Array(1);
    this._check(lib.kvc_engine_space(this._raw, out));
    return new Space(out[0], this);
  }

  /** Stores a copy of a Tensor under a key, text or bytes. */
  put(key, tensor, { tenant = null } = {}) {
    const k = octets(key);
    const c = tensor._c();
    this._check(lib.kvc_put(this._raw, cstring(tenant), some(k), k.byteLength, c.memory));
  }

  /** The Tensor of a key, in `out` or in memory of its own; null if nothing is stored. */
  get(key, { tenant = null, out = null } = {}) {
    const k = octets(key);
    const domain = cstring(tenant);
    const found = new Int32Array(1);
    for (;;) {
      const asked = struct('kvc_tensor_t');
      let target = out;
      if (!target) {
        this._check(lib.kvc_get(this._raw, domain, some(k), k.byteLength, asked.memory, found));
        if (!found[0]) return null;
        target = room(asked);
      }
      const c = target._c();
      const status = lib.kvc_get(this._raw, domain, some(k), k.byteLength, c.memory, found);
      if (out || (status !== Status.SHAPE && status !== Status.DTYPE)) {
        this._check(status);
        return found[0] ? target : null;
      }
    }
  }

  /** Whether a key is stored; no use of it. */
  contains(key, { tenant = null } = {}) {
    const k = typeof key === 'string' ? Buffer.from(key) : octets(key);
    this._check(lib.kvc_contains(this._raw, tenant === null ? null : cstring(tenant), some(k), k.byteLength, ANSWER));
    return ANSWER[0] !== 0;
  }

  /** True if it was stored. */
  remove(key, { tenant = null } = {}) {
    const k = octets(key);
    this._check(lib.kvc_remove(this._raw, cstring(tenant), some(k), k.byteLength, ANSWER));
    return ANSWER[0] !== 0;
  }

  // --- pages and figures

  /** The pages held now, parents before children; without a tenant, of all. */
  pages({ tenant = null } = {}) {
    const out = new BigUint64Array(1);
    this._check(lib.kvc_page_iter_open(this._raw, cstring(tenant), out));
    const pages = [];
    try {
      for (;;) {
        const info = struct('kvc_page_info_t');
        if (this._check(lib.kvc_page_iter_next(out[0], info.memory)) === Status.END) return pages;
        pages.push(records.pageInfo(info.view));
      }
    } finally {
      lib.kvc_page_iter_close(out[0]);
    }
  }

  pageInfo(id) {
    const info = struct('kvc_page_info_t');
    this._check(lib.kvc_page_info(this._raw, page(id), info.memory));
    return records.pageInfo(info.view);
  }

  pageTokens(id) {
    return this._tokens((out, capacity, n) => lib.kvc_page_tokens(this._raw, page(id), out, capacity, n), 256);
  }

  _count(call) {
    const n = new BigUint64Array(1);
    this._check(call(n));
    return Number(n[0]);
  }

  /** Evicts until at most so many bytes are used; the bytes given back. */
  trim(bytes = 0) {
    return this._count((n) => lib.kvc_trim(this._raw, BigInt(bytes), n));
  }

  stats() {
    const stats = struct('kvc_stats_t');
    this._check(lib.kvc_stats(this._raw, stats.memory));
    return records.stats(stats.view);
  }

  /** What this engine is made of. */
  info() {
    return JSON.parse(written((b, c, n) => this._check(lib.kvc_engine_info(this._raw, b, c, n))));
  }

  /** What another budget in bytes (0: the engine's own) and policy (null: its own) would have hit over the sessions so far. */
  async whatif({ budget = 0, policy = null } = {}) {
    const result = struct('kvc_whatif_t');
    this._check(await onPool('kvc_whatif', [this._raw, BigInt(budget), cstring(policy), result.memory], result));
    return records.whatif(result.view);
  }

  /** Tells the policy what to go for (an Objective), and what prefill costs. */
  adapt({ objective = 0, prefillSpeed = 0, balancedPosition = 0 } = {}) {
    const c = struct('kvc_metrics_t').u32('objective', objective).f64('prefill_speed', prefillSpeed).f64('balanced_position', balancedPosition);
    this._check(lib.kvc_adapt(this._raw, c.memory));
  }

  /** Writes a line per session that closes to a file, for `kvc replay`; pages are in it as digests. */
  traceStart(path) {
    this._check(lib.kvc_trace_start(this._raw, cstring(path)));
  }

  /** Ends the trace; the number of sessions in it. */
  traceStop() {
    return this._count((n) => lib.kvc_trace_stop(this._raw, n));
  }

  // --- pages on disk (option disk_path)

  /** Makes everything sealed durable; false if that goes on in the background after timeoutMs. */
  async persist({ timeoutMs } = {}) {
    const ns = timeoutMs === undefined ? FOR_EVER : BigInt(Math.round(timeoutMs * 1e6));
    return this._check(await onPool('kvc_persist', [this._raw, ns])) !== Status.PENDING;
  }

  /** Copies the pages in memory into a directory of their own; the number of records in it. */
  async persistTo(path, { tenant = null } = {}) {
    const n = new BigUint64Array(1);
    this._check(await onPool('kvc_persist_to', [this._raw, cstring(tenant), cstring(path), n]));
    return Number(n[0]);
  }

  /** Lets the pages of a directory be found; their number. */
  load(path) {
    return this._count((n) => lib.kvc_load(this._raw, cstring(path), n));
  }

  /** Lets the pages of a prefix pack be found; their number. */
  packOpen(path) {
    return this._count((n) => lib.kvc_pack_open(this._raw, cstring(path), n));
  }

  /** Removes what is kept of a tenant, in memory and on disk; the number of pages, tensors and records. */
  purge({ tenant = null } = {}) {
    return this._count((n) => lib.kvc_tenant_purge(this._raw, cstring(tenant), n));
  }
}
if (Symbol.asyncDispose) {
  Engine.prototype[Symbol.asyncDispose] = function dispose() {
    return this.close();
  };
}

const ANSWER = new Int32Array(1);

module.exports = { Engine };
