// What the conformance script does not show: life, callbacks, exceptions, models. node --expose-gc behaviour.mjs LAYOUT
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import * as kvc from 'libkvc';

const raw = createRequire(import.meta.url)(process.env.KVC_NODE_RAW);
const PROMPT = 'In the beginning God created the heaven and the earth.';
const pause = (ms = 1) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function until(condition) {
  for (const end = Date.now() + 30000; !await condition(); await pause()) assert.ok(Date.now() < end, 'waited in vain');
}

async function withEngine(config, use) {
  const engine = await kvc.Engine.open(config);
  try {
    await use(engine);
  } finally {
    await engine.close();
  }
}

const desc = { weights: 'counting', tokenizer: null, rope: null, adapters: [], attention: null, layers: 2, kvHeads: 1, kHeadDim: 4, pageTokens: 8, vocabSize: 256 };
const rowsOf = (tokens) => Float32Array.from({ length: tokens.length * 4 }, (_, i) => tokens[i >> 2]);

function expected(prompt, n) {
  let sum = Buffer.from(prompt).reduce((a, b) => a + b, 0);
  return Array.from({ length: n }, () => {
    const token = sum % 256;
    sum += token;
    return token;
  });
}

// The next token is the sum of all before it, read back from K/V: every page is looked at.
class Counting {
  broken = null;
  isReleased = false;
  describe = () => ({ name: 'counting', space: desc, context: 512, ends: [255], details: 'adds' });
  tokenize = (text) => Array.from(text);
  detokenize = (token) => [token];
  chatText = (messages, answer) => messages.map((m) => `${m.role}: ${m.content}\n`).join('') + (answer ? '>' : '');
  released = () => { this.isReleased = true; };

  forward(items) {
    if (this.broken) throw this.broken;
    for (const { session, tokens, position, logits } of items) {
      const t = new kvc.Tensor(rowsOf(tokens), [tokens.length, 1, 4]);
      session.appendAll([t, t], [t, t]);
      const n = position + tokens.length;
      const past = session.read(1, kvc.Plane.VALUE, 0, n, kvc.Tensor.empty([n, 1, 4], kvc.DType.F32)).data;
      let sum = 0;
      for (let i = 0; i < past.length; i += 4) sum += past[i];
      if (logits) logits.fill(0)[sum % 256] = 1;
    }
  }
}

// The same with K/V of its own.
class Keeping extends Counting {
  sequences = new Map();
  imported = 0;
  sequenceOpen = (sequence) => { this.sequences.set(sequence, []); };
  sequenceClose = (sequence) => { this.sequences.delete(sequence); };
  truncate = (sequence, n) => { this.sequences.get(sequence).length = n; };

  forward(items) {
    for (const { sequence, session, tokens, position, logits } of items) {
      const all = this.sequences.get(sequence);
      assert.ok(session === null && all.length === position);
      all.push(...tokens);
      if (logits) logits.fill(0)[all.reduce((a, b) => a + b, 0) % 256] = 1;
    }
  }

  exportKv(sequence, session, from, n) {
    const t = new kvc.Tensor(rowsOf(this.sequences.get(sequence).slice(from, from + n)), [n, 1, 4]);
    session.append(0, t, t);
    session.append(1, t, t);
  }

  importKv(sequence, session, tokens, from) {
    const found = session.read(0, kvc.Plane.KEY, from, tokens.length, kvc.Tensor.empty([tokens.length, 1, 4], kvc.DType.F32));
    assert.deepEqual(found.data, rowsOf(tokens));
    this.imported += tokens.length;
    this.sequences.get(sequence).push(...tokens);
  }
}

const configOf = (backend) => new kvc.Config().set('memory', '16MiB').setBackend(backend);

const tests = {
  'layout is that of C': () => {
    const golden = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
    assert.ok(Object.keys(golden.structs).length >= 20 && Object.keys(golden.constants).length >= 90);
    for (const [name, { size, fields }] of Object.entries(golden.structs)) {
      assert.equal(raw.structs[name].sizeof, size, name);
      assert.deepEqual(raw.structs[name].at, Object.fromEntries(Object.entries(fields).map(([f, place]) => [f, place.offset])), name);
    }
    assert.deepEqual({ ...raw.constants }, golden.constants);
  },

  'errors have codes, names and kinds': () => withEngine({}, async (engine) => {
    await assert.rejects(engine.process({ prompt: PROMPT, maxTokens: 100000 }), (e) => e.code === kvc.Status.CONTEXT && e.status === 'KVC_E_CONTEXT'
      && e.message.startsWith('KVC_E_CONTEXT: '));
    await assert.rejects(engine.process({ prompt: 'x', tenant: 'a\0b' }), { code: kvc.Status.INVALID });
    await assert.rejects(engine.process({ prompt: 'x', maxTokens: -1 }), { code: kvc.Status.OUT_OF_RANGE });
    await assert.rejects(kvc.Engine.open({ memory: '1KiB' }), kvc.KvcMemoryError);
    assert.throws(() => engine.put('k', new kvc.Tensor(new Float32Array(3), [5, 5])), { code: kvc.Status.SHAPE });
  }),

  'closing lets a running call end and may be repeated': async () => {
    const engine = await kvc.Engine.open();
    const asking = assert.rejects(engine.process({ prompt: PROMPT, maxTokens: 4000 }), kvc.KvcCancelledError);
    await until(() => engine.stats().requestsActive === 1);
    await Promise.all([engine.close(), engine.close()]);
    await engine.close();
    await asking;
    assert.throws(() => engine.stats(), kvc.KvcClosedError);
    await assert.rejects(engine.process('x'), kvc.KvcClosedError);
  },

  'a signal cancels, and so does leaving a stream': () => withEngine({}, async (engine) => {
    const controller = new AbortController();
    const asking = assert.rejects(engine.process({ prompt: PROMPT, maxTokens: 4000 }, { signal: controller.signal }),
      (e) => e instanceof kvc.KvcCancelledError && e.cause.message === 'enough');
    await until(() => engine.stats().requestsActive === 1);
    controller.abort(new Error('enough'));
    await asking;
    let pieces = 0;
    for await (const piece of engine.stream({ prompt: PROMPT, maxTokens: 4000 })) {
      assert.ok(piece);
      pieces += 1;
      if (pieces === 3) break;
    }
    await until(() => engine.stats().requestsCancelled === 2);
    const ticket = engine.submit({ prompt: PROMPT, maxTokens: 4000 });
    assert.equal(await ticket.wait({ timeoutMs: 1 }), null);
    ticket.close();
    await until(() => engine.stats().requestsCancelled === 3);
  }),

  'many wait at once and the loop goes on': () => withEngine({}, async (engine) => {
    let beats = 0;
    const heart = setInterval(() => { beats += 1; }, 1);
    const answers = await Promise.all(Array.from({ length: 12 }, () => engine.process({ prompt: PROMPT, maxTokens: 8 })));
    clearInterval(heart);
    assert.ok(answers.every((a) => a.text === answers[0].text) && beats > 0);
    assert.equal(engine.processSync({ prompt: PROMPT, maxTokens: 8 }).text, answers[0].text);
  }),

  'onText may refuse and may throw': () => withEngine({}, async (engine) => {
    await assert.rejects(engine.process({ prompt: PROMPT, maxTokens: 500, onText: () => false }),
      (e) => e instanceof kvc.KvcCancelledError && e.response.tokens.length < 500);
    await assert.rejects(engine.process({ prompt: PROMPT, onText: () => { throw new RangeError('no more'); } }), { name: 'RangeError', message: 'no more' });
    let text = '';
    const answer = await engine.process({ prompt: PROMPT, maxTokens: 12, onText: (piece) => { text += piece; } });
    assert.equal(text, answer.text);
    assert.throws(() => engine.processSync({ prompt: PROMPT, onText() {} }), { code: kvc.Status.INVALID });
  }),

  'a logger is told, and may throw': async () => {
    const warnings = [];
    const warn = (warning) => warnings.push(warning.message);
    process.on('warning', warn);
    let lines = 0;
    const config = new kvc.Config().setLogger(kvc.LogLevel.DEBUG, () => {
      lines += 1;
      throw new Error('in the logger');
    });
    await withEngine(config, async (engine) => {
      config.close();
      await engine.process({ prompt: PROMPT, maxTokens: 2 });
    });
    await pause(5);
    process.off('warning', warn);
    assert.ok(lines > 0 && warnings.some((w) => w.includes('in the logger')));
  },

  'tensors of other types and orders': () => withEngine({}, async (engine) => {
    engine.put('h', new kvc.Tensor(Uint16Array.of(1, 2, 3), [3], { dtype: kvc.DType.F16 }));
    assert.deepEqual(engine.get('h').data, Uint16Array.of(1, 2, 3));
    assert.throws(() => engine.get('h', { out: kvc.Tensor.empty([3], kvc.DType.F32) }), { code: kvc.Status.DTYPE });
    engine.put('t', kvc.Tensor.htd(Float32Array.from({ length: 12 }, (_, i) => i), 2, 3, 2));
    const found = engine.get('t');
    assert.deepEqual([found.shape, Array.from(found.data)], [[3, 2, 2], [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]]);
  }),

  'a model in JavaScript answers and gets its K/V back': async () => {
    for (const backend of [new Counting(), new Keeping()]) {
      let cached = 0;
      await withEngine(configOf(backend), async (engine) => {
        for (const [i, prompt] of ['counting', 'counting again', 'counting again and again', 'counting'].entries()) {
          const answer = await engine.process({ prompt, maxTokens: 12 });
          assert.deepEqual(Array.from(answer.tokens), expected(prompt, 12));
          assert.equal(answer.cachedTokens > 0, i > 0);
          cached += answer.cachedTokens;
          global.gc();
        }
        assert.equal(engine.chatText([{ role: 'user', content: 'Hi' }]), 'user: Hi\n>');
        assert.throws(() => engine.processSync('x'), { code: kvc.Status.INVALID });
      });
      assert.ok(backend.isReleased);
      if (backend instanceof Keeping) assert.deepEqual([backend.imported, backend.sequences.size], [cached, 0]);
    }
  },

  'exceptions of a model fail the request with their words': async () => {
    const backend = new Counting();
    await withEngine(configOf(backend), async (engine) => {
      backend.broken = new Error('the accelerator is on fire');
      await assert.rejects(engine.process({ prompt: 'hello', maxTokens: 4 }), /the accelerator is on fire/);
      backend.broken = null;
      assert.deepEqual(Array.from((await engine.process({ prompt: 'hello', maxTokens: 4 })).tokens), expected('hello', 4));
    });
    backend.describe = () => { throw new Error('no weights'); };
    await assert.rejects(kvc.Engine.open(configOf(backend)), /no weights/);
  },

  'pages outlive their engine on disk': async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'kvc-node-'));
    for (const round of [0, 1]) {
      await withEngine({ disk_path: path.join(folder, 'store'), secret: 's' }, async (engine) => {
        const { cachedTokens } = await engine.process({ prompt: PROMPT, maxTokens: 4 });
        assert.ok(round ? cachedTokens >= 54 : cachedTokens === 0, `${cachedTokens} cached`);
        assert.ok(await engine.persist());
      });
    }
    fs.rmSync(folder, { recursive: true });
  },

  'what is dropped is closed by the collector': async () => {
    const backend = new Counting();
    await (async () => { await kvc.Engine.open(configOf(backend)); })();
    await until(() => {
      global.gc();
      return backend.isReleased;
    });
  },

  'a thousand engines leave no memory behind': async () => {
    let before = 0;
    for (let cycle = 0; cycle < 1500; cycle += 1) {
      const engine = await kvc.Engine.open({ memory: '4MiB', model: 'none' });
      const session = engine.openSpace(desc).openSession();
      session.match([1, 2, 3]);
      session.close();
      await engine.close();
      if (cycle % 100 === 99) global.gc();
      if (cycle === 499) before = process.memoryUsage().rss; // V8 warms up
    }
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 6 << 20, `grew by ${grown >> 10} KiB`);
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${name}\n${error.stack}`);
  }
}
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
