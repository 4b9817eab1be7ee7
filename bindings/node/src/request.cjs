// Requests, and the tickets of those that were submitted.
'use strict';

const koffi = require('koffi');
const { lib } = require('./library.cjs');
const { Handle, patiently } = require('./handle.cjs');
const { Entry, onText } = require('./callbacks.cjs');
const { check, error, wordsOf } = require('./errors.cjs');
const { Status } = require('./constants.cjs');
const raw = require('./raw.cjs');
const records = require('./records.cjs');
const { at, cstring, octets, some, struct, tokens } = require('./memory.cjs');

const NUMBERS = { maxTokens: 'max_tokens', topK: 'top_k', priority: 'priority', action: 'action' };
const REALS = { temperature: 'temperature', topP: 'top_p' };

/** kvc_request_t of { prompt, maxTokens, ... }: { c, sink, drop }. */
function fill(request, into) {
  const c = into || struct('kvc_request_t');
  check(lib.kvc_request_init(c.memory, c.sizeof));
  const { prompt } = request;
  if (typeof prompt === 'string' || prompt instanceof Uint8Array) {
    const text = octets(prompt);
    c.pointer('prompt', some(text)).u64('prompt_size', text.byteLength);
  } else {
    const ids = tokens(prompt);
    c.pointer('tokens', some(ids)).u64('n_tokens', ids.length);
  }
  for (const [own, field] of Object.entries(NUMBERS)) {
    const value = request[own];
    if (value !== undefined) {
      if (!Number.isInteger(value) || value > 0xffffffff || value < (field.startsWith('max') || field === 'top_k' ? 0 : -0x80000000)) {
        throw error(Status.OUT_OF_RANGE, `${own} is ${value}: it must be a whole number within its type`);
      }
      c.u32(field, value);
    }
  }
  for (const [own, field] of Object.entries(REALS)) if (request[own] !== undefined) c.f64(field, request[own]);
  c.u64('seed', request.seed || 0).u32('no_cache', request.noCache ? 1 : 0).u64('deadline_ns', Math.round((request.deadlineMs || 0) * 1e6));
  c.pointer('session_id', cstring(request.sessionId)).pointer('tenant', cstring(request.tenant));
  if (request.stop && request.stop.length) {
    const stops = new BigUint64Array(request.stop.length);
    request.stop.forEach((text, i) => {
      const stop = cstring(text);
      c.keep.push(stop);
      stops[i] = koffi.address(stop);
    });
    c.pointer('stop', stops).u32('n_stop', stops.length);
  }
  if (!request.onText) return { c, sink: null, drop() {} };
  const sink = { onText: request.onText, thrown: null };
  const entry = new Entry(sink);
  c.u64('on_text', onText()).u64('user_data', entry.number);
  return { c, sink, drop: () => entry.drop() };
}

/** A Response from the C struct, which is released; null for NULL. */
function take(address) {
  if (!address) return null;
  try {
    return records.response(at(address, raw.structs.kvc_response_t.sizeof));
  } finally {
    lib.kvc_response_free(address);
  }
}

/** The response, or the exception: what onText threw, or what kvc says. */
function finish(engine, status, address, sink, signal) {
  const response = take(address);
  if (sink && sink.thrown) throw sink.thrown.error;
  if (status >= 0) return response;
  const failure = error(status, (response && response.error) || wordsOf(status, lib.kvc_engine_last_error, engine._raw), response);
  if (signal && signal.aborted) failure.cause = signal.reason;
  throw failure;
}

/** A submitted request. wait() gives its answer; `for await` its text piece by piece; close() cancels what still runs. */
class Ticket extends Handle {
  constructor(engine, id, given) {
    const owner = engine._raw;
    super(id, () => {
      lib.kvc_ticket_free(owner, id);
      given.drop();
    });
    this._engine = engine;
    this._sink = given.sink;
  }

  /** Unique within its engine; Engine.poll lists it when the request is complete. */
  get id() {
    return this._raw;
  }

  /** The answer, when it is complete, which ends the ticket; null if it is not within timeoutMs. An aborted signal cancels the request. */
  async wait({ timeoutMs, signal } = {}) {
    const out = new BigUint64Array(1);
    const abort = () => this.cancel();
    if (signal) {
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    }
    try {
      const until = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
      const status = await patiently('kvc_wait', (ns) => [this._engine._raw, this._raw, ns, out], until);
      if (status === Status.PENDING) return null;
      if (out[0]) this.close(); // frees nothing more than the callback's number
      return finish(this._engine, status, out[0], this._sink, signal);
    } finally {
      if (signal) signal.removeEventListener('abort', abort);
    }
  }

  /** The next piece of the text; '' if none came within timeoutMs; null when the text is complete. */
  async next({ timeoutMs } = {}) {
    const buffer = Buffer.alloc(1024);
    const size = new BigUint64Array(1);
    const until = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    const status = await patiently('kvc_next', (ns) => [this._engine._raw, this._raw, ns, buffer, buffer.length, size], until);
    if (status === Status.END) return null;
    if (status === Status.PENDING) return '';
    this._engine._check(status);
    return buffer.toString('utf8', 0, Number(size[0]));
  }

  async* [Symbol.asyncIterator]() {
    for (let piece = await this.next(); piece !== null; piece = await this.next()) yield piece;
  }

  /** Asks it to end at its next step: its answer then has the text so far and KVC_E_CANCELLED. */
  cancel() {
    this._engine._check(lib.kvc_cancel(this._engine._raw, this._raw));
  }
}

module.exports = { Ticket, fill, finish, take };
