// bench.c through the Node package: the same figures.
import { DType, Engine, Plane, Tensor } from 'libkvc';

const [CALLS, TOKENS, HEADS, DIM, READS, PIECES] = [10000, 4096, 8, 64, 20, 400];
const now = () => Number(process.hrtime.bigint());

const engine = await Engine.open();
engine.put('key', new Tensor(Float32Array.of(1), [1]));
const key = Buffer.from('key');
let took = Infinity;
for (let chunk = 0; chunk < 30; chunk += 1) { // the first ones are the compiler's
  const begin = now();
  for (let i = 0; i < CALLS; i += 1) engine.contains(key);
  took = Math.min(took, now() - begin);
}
console.log(`contains_ns ${(took / CALLS).toFixed(2)}`);

const space = engine.openSpace({ weights: 'w', tokenizer: null, rope: null, adapters: null, attention: null, layers: 1, kvHeads: HEADS, kHeadDim: DIM, pageTokens: 64 });
const session = space.openSession();
const rows = Tensor.empty([TOKENS, HEADS, DIM], DType.F32);
session.appendAll([rows], [rows]);
session.commit(Array.from({ length: TOKENS }, (_, i) => i));
let best = Infinity;
for (let i = 0; i < READS; i += 1) {
  const begin = now();
  session.read(0, Plane.KEY, 0, TOKENS, rows);
  best = Math.min(best, now() - begin);
}
console.log(`read_ns ${best}`);
await engine.close();

const stepped = await Engine.open({ threads: 0 });
const pieces = [];
let begin = now();
for await (const _piece of stepped.submit({ prompt: 'In the beginning', maxTokens: PIECES })) {
  pieces.push(now() - begin);
  begin = now();
}
console.log(`piece_ns ${pieces.sort((a, b) => a - b)[pieces.length >> 1]}`);
await stepped.close();
