// Models written in JavaScript: the table of functions that kvc calls, and how it gets to the object.
'use strict';

const koffi = require('koffi');
const { callback, find, report } = require('./callbacks.cjs');
const { BackendKind, Status } = require('./constants.cjs');
const raw = require('./raw.cjs');
const { at, bytesAt, cstring, struct, tokens } = require('./memory.cjs');
const { textAt } = require('./text.cjs');
const { SessionView } = require('./session.cjs');
const { describe: describeSpace } = require('./space.cjs');

const field = (name) => raw.structs[name].at;

/** Runs a callback's body: what it throws becomes a status and words. They are the last two arguments. */
function guard(body) {
  return (user, ...args) => {
    const size = Number(args.pop());
    const words = args.pop();
    try {
      body(find(user), ...args);
      return Status.OK;
    } catch (error) {
      try {
        if (words && size > 0) {
          const text = Buffer.from(String((error && (error.words || error.message)) || error), 'utf8').subarray(0, size - 1);
          const buffer = new Uint8Array(koffi.view(words, size));
          buffer.set(text);
          buffer[text.length] = 0;
        }
        return error && error.code < 0 ? error.code : Status.USER;
      } catch {
        return Status.USER;
      }
    }
  };
}

function quietly(body) {
  return (user, ...args) => {
    try {
      body(find(user), ...args);
    } catch (error) {
      report(error);
    }
  };
}

/** Writes bytes where kvc has room for them, and their full number. */
function give(data, target, capacity, size, width = 1) {
  at(size, 8).setBigUint64(0, BigInt(data.byteLength / width), true);
  const n = Math.min(data.byteLength, Number(capacity) * width);
  if (target && n) new Uint8Array(koffi.view(target, n)).set(new Uint8Array(data.buffer, data.byteOffset, n));
}

const ids = (address, n) => new Int32Array(bytesAt(address, 4 * n).buffer);
const view = (session) => (BigInt(session) ? new SessionView(BigInt(session)) : null);

function describe(running, address) {
  const told = running.backend.describe();
  const space = describeSpace(told.space);
  const name = cstring(told.name);
  const details = cstring(told.details);
  const ends = tokens(told.ends || []);
  running.keep = [space, name, details, ends]; // kvc reads them as long as the backend is in use
  running.vocabSize = told.space.vocabSize || 0;
  const f = field('kvc_model_info_t');
  const v = at(address, raw.structs.kvc_model_info_t.sizeof);
  const pointer = (offset, memory) => v.setBigUint64(offset, memory && memory.byteLength ? koffi.address(memory) : 0n, true);
  pointer(f.name, name);
  // The space that kvc gives may be the smaller struct of an older library: point to ours, which says its own size.
  pointer(f.space, space.memory);
  pointer(f.details, details);
  pointer(f.ends, ends);
  v.setUint32(f.n_ends, ends.length, true);
  v.setUint32(f.context, told.context, true);
  v.setUint32(f.max_batch_tokens, told.maxBatchTokens || 0, true);
  v.setInt32(f.bos, told.bos ?? -1, true);
  v.setInt32(f.eos, told.eos ?? -1, true);
  v.setUint32(f.total_tokens, told.totalTokens || 0, true);
  v.setUint32(f.state_tokens, told.stateTokens || 0, true);
}

function forward(running, address, n) {
  const f = field('kvc_forward_t');
  const items = [];
  let where = BigInt(address);
  for (let i = 0; i < n; i += 1) {
    const v = at(where, raw.structs.kvc_forward_t.sizeof);
    const logits = v.getBigUint64(f.logits, true);
    items.push({
      sequence: v.getBigUint64(f.sequence, true),
      session: view(v.getBigUint64(f.session, true)),
      tokens: ids(v.getBigUint64(f.tokens, true), v.getUint32(f.n, true)),
      position: v.getUint32(f.position, true),
      logits: logits ? new Float32Array(koffi.view(logits, 4 * running.vocabSize)) : null,
    });
    where += v.getBigUint64(f.struct_size, true); // kvc's elements may be larger than this package's struct
  }
  running.backend.forward(items);
}

function chatText(running, messages, n, answer, text, capacity, size) {
  const f = field('kvc_message_t');
  const list = [];
  let where = BigInt(messages);
  for (let i = 0; i < Number(n); i += 1) {
    const v = at(where, raw.structs.kvc_message_t.sizeof);
    list.push({ role: textAt(v.getBigUint64(f.role, true)), content: textAt(v.getBigUint64(f.content, true)) });
    where += v.getBigUint64(f.struct_size, true);
  }
  give(Buffer.from(running.backend.chatText(list, answer !== 0), 'utf8'), text, capacity, size);
}

// field of the table -> what kvc calls
const BODIES = {
  describe: guard(describe),
  tokenize: guard((r, text, size, target, capacity, n) => give(tokens(r.backend.tokenize(bytesAt(text, Number(size)))), target, capacity, n, 4)),
  detokenize: guard((r, token, target, capacity, size) => give(Uint8Array.from(r.backend.detokenize(token)), target, capacity, size)),
  sequence_open: guard((r, sequence) => r.backend.sequenceOpen(BigInt(sequence))),
  sequence_close: quietly((r, sequence) => r.backend.sequenceClose(BigInt(sequence))),
  forward: guard(forward),
  export_kv: guard((r, sequence, session, from, n) => r.backend.exportKv(BigInt(sequence), view(session), from, n)),
  import_kv: guard((r, sequence, session, list, from, n) => r.backend.importKv(BigInt(sequence), view(session), ids(list, n), from)),
  truncate: guard((r, sequence, n) => r.backend.truncate(BigInt(sequence), n)),
  destroy: quietly((r) => {
    if (r.backend.released) r.backend.released();
    r.keep = null;
  }),
  chat_text: guard(chatText),
  save_state: guard((r, sequence, n, target, capacity, size) => {
    const state = Uint8Array.from(r.backend.saveState(BigInt(sequence), n));
    give(state, Number(capacity) >= state.length ? target : null, capacity, size);
  }),
  load_state: guard((r, sequence, list, n, state, size) => r.backend.loadState(BigInt(sequence), ids(list, n), bytesAt(state, Number(size)))),
};
const ALWAYS = ['describe', 'tokenize', 'detokenize', 'forward', 'destroy'];
// method of the object -> the fields that it brings
const OPTIONAL = { sequenceOpen: ['sequence_open', 'sequence_close'], exportKv: ['export_kv', 'import_kv', 'truncate'], chatText: ['chat_text'],
  saveState: ['save_state', 'load_state'] };

function table(backend, number) {
  const own = typeof backend.exportKv === 'function';
  const c = struct('kvc_backend_t').u64('user_data', number).u32('kind', own ? BackendKind.OWN_KV : BackendKind.PAGED);
  const fields = Object.entries(OPTIONAL).filter(([method]) => typeof backend[method] === 'function').flatMap(([, list]) => list);
  for (const name of [...ALWAYS, ...fields]) c.u64(name, callback(`kvc_backend_${name}`, BODIES[name]));
  return c;
}

module.exports = { table };
