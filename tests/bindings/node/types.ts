// Compiled, never run: that the types say what a program writes.
import { Action, Backend, Config, DType, Engine, Forward, KvcError, Plane, Response, Stats, Status, Tensor } from 'libkvc';

class Model implements Backend {
  describe() {
    return { name: 'm', space: { weights: 'w', tokenizer: null, rope: { base: 10000, dims: 64 }, adapters: null, attention: null, layers: 1 }, context: 512 };
  }
  tokenize(text: Uint8Array): number[] {
    return [...text];
  }
  detokenize(token: number): Uint8Array {
    return Uint8Array.of(token);
  }
  forward(items: Forward[]): void {
    for (const { logits } of items) logits?.fill(0);
  }
}

export async function main(): Promise<number> {
  const engine = await Engine.open(new Config('seamless', { memory: '1GiB', threads: 1 }).setBackend(new Model()));
  const answer: Response = await engine.process({ prompt: 'x', maxTokens: 3, action: Action.PROCESS, onText: (t) => t.length > 0 });
  for await (const piece of engine.stream([1, 2, 3], { signal: new AbortController().signal })) piece.toUpperCase();
  const pending: Response | null = await engine.submit('x').wait({ timeoutMs: 5 });
  const session = engine.space().openSession({ tenant: 'a' });
  const out: Tensor = session.read(0, Plane.KEY, 0, 4, Tensor.empty([4, 2, 8], DType.F32));
  const stats: Stats = engine.stats();
  try {
    engine.get('key', { out });
  } catch (error) {
    if (error instanceof KvcError && error.code === Status.SHAPE) return 1;
  }
  // @ts-expect-error a request has no such field
  engine.submit({ prompt: 'x', max_tokens: 3 });
  // @ts-expect-error what is left out is an error
  engine.openSpace({ weights: 'w', layers: 1 });
  await engine.close();
  return answer.cachedTokens + stats.requests + (pending?.totalNs ?? 0);
}
