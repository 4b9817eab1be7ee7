// Replays tests/bindings/conformance.json: node conformance.mjs SCRIPT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as kvc from 'libkvc';

const camel = (name) => name.replace(/_(\w)/g, (_, c) => c.toUpperCase());
const tokensOf = ({ tokens }) => (tokens.length === 3 && tokens[1] === 'to' ? Array.from({ length: tokens[2] - tokens[0] }, (_, i) => tokens[0] + i) : tokens);
const plain = (value) => (ArrayBuffer.isView(value) ? Array.from(value) : Array.isArray(value) ? value.map(plain) : value);

function kv(layer, plane, from, n, heads, dim) {
  const rows = new Float32Array(n * heads * dim);
  let at = 0;
  for (let t = from; t < from + n; t += 1) {
    for (let h = 0; h < heads; h += 1) for (let d = 0; d < dim; d += 1) rows[at++] = (2 * layer + plane) * 1000 + t * 10 + h + d / 16;
  }
  return rows;
}

const kvTensor = (s, layer, plane) => new kvc.Tensor(kv(layer, plane, s.from, s.n, s.heads, s.dim), [s.n, s.heads, s.dim]);
const halves = (shape) => Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i / 2);

function requestOf(s) {
  const request = { prompt: 'prompt' in s ? s.prompt : tokensOf(s) };
  for (const name of ['max_tokens', 'top_p', 'priority', 'action', 'no_cache', 'tenant', 'stop', 'session_id']) {
    if (name in s) request[camel(name)] = s[name];
  }
  return request;
}

class Replay {
  named = {};
  folder = null;

  path(s) {
    this.folder ??= fs.mkdtempSync(path.join(os.tmpdir(), 'kvc-conformance-'));
    return path.join(this.folder, s.path);
  }

  async run(c) {
    for (const [i, s] of c.steps.entries()) {
      const where = `${c.name}, step ${i + 1} (${s.do})`;
      let result;
      try {
        assert.ok(this[s.do], `${where}: unknown operation`);
        result = await this[s.do](s, this.named[s.on]);
      } catch (error) {
        if (!(error instanceof kvc.KvcError)) throw error;
        assert.equal(error.status, s.error, `${where}: ${error}`);
        continue;
      }
      assert.equal(s.error, undefined, `${where}: succeeded`);
      if (s.as) this.named[s.as] = result;
      if ('expect' in s) this.compare(result, s.expect, where);
    }
    for (const item of Object.values(this.named)) if (item && item.close) await item.close();
    if (this.folder) fs.rmSync(this.folder, { recursive: true });
  }

  compare(result, expected, where) {
    if (expected === null || typeof expected !== 'object' || Array.isArray(expected)) {
      assert.deepEqual(plain(result), expected, where);
      return;
    }
    for (let [name, value] of Object.entries(expected)) {
      if (name === 'same as') {
        assert.deepEqual(plain(result.ids), plain(this.named[value].ids), where);
        continue;
      }
      if (value !== null && typeof value === 'object' && 'same as' in value) value = this.named[value['same as']][name];
      const found = name === 'n_tokens' && result.tokens ? result.tokens.length : result[name] ?? result[camel(name)];
      assert.deepEqual(plain(found), value, `${where}: ${name}`);
    }
  }

  status_name = (s) => kvc.statusName(s.code);
  has_feature = (s) => kvc.hasFeature(s.name);
  option = (s) => kvc.options().find((o) => o.name === s.name);
  config = (s) => new kvc.Config(s.preset);
  'config.set' = (s, c) => void c.set(s.key, s.value);
  'config.get' = (s, c) => c.get(s.key);
  engine = (s) => kvc.Engine.open(s.options && s.options.disk_path ? { ...s.options, disk_path: this.path({ path: s.options.disk_path }) } : s.options);
  'engine.close' = (s, e) => e.close();
  process = (s, e) => e.process(requestOf(s));
  process_batch = async (s, e) => {
    const { error, responses } = await e.processBatch(s.requests.map(requestOf));
    const texts = new Set(responses.filter(Boolean).map((r) => r.text));
    return { error: error && error.status, answered: responses.map(Boolean), text: texts.size === 1 ? [...texts][0] : [...texts] };
  };
  text_lacks = (s, r) => assert.ok(!r.text.includes(s.what));
  submit = (s, e) => e.submit(requestOf(s));
  stream = async (s, t) => {
    let text = '';
    for await (const piece of t) text += piece;
    return { text };
  };
  wait = (s, t) => t.wait();
  cancel = (s, t) => t.cancel();
  poll = (s, e) => e.poll().length;
  step = (s, e) => e.step();
  stats = (s, e) => e.stats();
  tokenize = (s, e) => e.tokenize(s.text);
  detokenize = (s, e) => e.detokenize(tokensOf(s));
  chat_text = (s, e) => e.chatText(s.messages.map(([role, content]) => ({ role, content })), s.answer ?? true);
  space = (s, e) => {
    const desc = { weights: s.desc.weights, tokenizer: null, rope: null, adapters: null, attention: null, layers: s.desc.layers, kvHeads: s.desc.heads,
      kHeadDim: s.desc.dim, pageTokens: s.desc.page_tokens };
    delete desc[s.desc.without];
    return e.openSpace(desc);
  };
  'space.info' = (s, space) => space.info();
  diff = (s, space) => space.diff(this.named[s.other]);
  page_ids = (s, space) => {
    const ids = space.pageIds(tokensOf(s));
    return { count: ids.length, ids };
  };
  pack_write = (s, space) => space.packWrite(this.path(s), tokensOf(s), { tenant: s.tenant });
  session = (s, space) => space.openSession({ tenant: s.tenant, noPublish: s.publish === false });
  'session.close' = (s, session) => session.close(s.hint ?? 0, (s.until_ns ?? 0) / 1e6);
  match = (s, session) => session.match(tokensOf(s));
  miss = (s, session) => session.miss().reason;
  append = (s, session) => session.append(s.layer, kvTensor(s, s.layer, 0), kvTensor(s, s.layer, 1), s.n);
  append_all = (s, session) => {
    const layers = Array.from({ length: s.layers }, (_, i) => i);
    session.appendAll(layers.map((l) => kvTensor(s, l, 0)), layers.map((l) => kvTensor(s, l, 1)), s.n);
  };
  commit = (s, session) => session.commit(tokensOf(s));
  read = (s, session) => {
    const out = session.read(s.layer, s.plane, s.from, s.n, kvc.Tensor.empty([s.n, s.heads, s.dim], kvc.DType.F32));
    assert.deepEqual(out.data, kv(s.layer, s.plane, s.from, s.n, s.heads, s.dim));
  };
  read_all = (s, session) => {
    const planes = [0, 1].map(() => Array.from({ length: s.layers }, () => kvc.Tensor.empty([s.n, s.heads, s.dim], kvc.DType.F32)));
    session.readAll(s.from, s.n, ...planes);
    planes.forEach((list, plane) => list.forEach((t, l) => assert.deepEqual(t.data, kv(l, plane, s.from, s.n, s.heads, s.dim))));
  };
  attend = (s, session) => {
    const shape = [s.n, s.query_heads, s.dim];
    const out = session.attend(s.layer, kvc.Tensor.empty(shape, kvc.DType.F32), kvc.Tensor.empty(shape, kvc.DType.F32), { window: s.window });
    // Attention of queries of zeros is the mean of V over the tokens that they see.
    const [first, to] = s.mean_of_tokens;
    const values = kv(s.layer, 1, first, to - first, s.heads, s.dim);
    out.data.forEach((found, i) => {
      const head = Math.floor(i / s.dim / (s.query_heads / s.heads)) % s.heads;
      let mean = 0;
      for (let t = 0; t < to - first; t += 1) mean += values[(t * s.heads + head) * s.dim + (i % s.dim)] / (to - first);
      assert.ok(Math.abs(found - mean) < mean / 1000, `attention gives ${found}, expected ${mean}`);
    });
  };
  'session.info' = (s, session) => session.info();
  'session.tokens' = (s, session) => session.tokens(s.from, s.n);
  truncate = (s, session) => session.truncate(s.n);
  fork = (s, session) => session.fork();
  pin = (s, session) => session.pin(s.pinned);
  set_priority = (s, session) => session.setPriority(s.priority);
  hint = (s, session) => session.hint(s.hint);
  expect = (s, session) => session.expect(s.in_ns / 1e6);
  trim = (s, e) => e.trim(s.bytes);
  pages = (s, e) => {
    const pages = e.pages();
    return { count: pages.length, positions: pages.map((p) => p.position), n_tokens: pages.map((p) => p.nTokens), codec: pages[0].codec, ids: pages.map((p) => p.id) };
  };
  id = (s) => (s.page ? this.named[s.page].ids[s.index] : new Uint8Array(32).fill(parseInt(s.id, 16)));
  page_tokens = (s, e) => e.pageTokens(this.id(s));
  page_info = (s, e) => e.pageInfo(this.id(s));
  put = (s, e) => {
    // A shape of nine dimensions is refused before kvc sees it.
    e.put(s.key, new kvc.Tensor(halves(s.shape), s.shape), { tenant: s.tenant });
  };
  get = (s, e) => {
    const found = e.get(s.key, { tenant: s.tenant });
    if (found) assert.deepEqual(found.data, halves(found.shape));
    return found && found.shape;
  };
  contains = (s, e) => e.contains(s.key, { tenant: s.tenant });
  remove = (s, e) => e.remove(s.key, { tenant: s.tenant });
  persist = (s, e) => e.persist();
  persist_to = (s, e) => e.persistTo(this.path(s), { tenant: s.tenant });
  load = (s, e) => e.load(this.path(s));
  pack_open = (s, e) => e.packOpen(this.path(s));
  trace_start = (s, e) => e.traceStart(this.path(s));
  trace_stop = (s, e) => e.traceStop();
  whatif = (s, e) => e.whatif({ budget: s.budget, policy: s.policy });
  adapt = (s, e) => e.adapt({ objective: s.objective, prefillSpeed: s.prefill_speed });
  purge = (s, e) => e.purge({ tenant: s.tenant });
}

const { cases } = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
let failed = 0;
for (const c of cases) {
  try {
    await new Replay().run(c);
  } catch (error) {
    failed += 1;
    console.log(`${c.name}: ${error.stack}`);
  }
}
console.log(`${cases.length} cases, ${cases.reduce((n, c) => n + c.steps.length, 0)} steps, ${failed} failed`);
process.exitCode = failed || cases.length < 18 ? 1 : 0;
