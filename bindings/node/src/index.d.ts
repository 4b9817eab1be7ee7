// Types of the package `libkvc`. What the functions do is said in kvc.h and the README.
import type { OptionInfo, PageInfo, Response, SessionInfo, SpaceInfo, Stats, Whatif } from './generated';

export * from './generated';

export type Bytes = Uint8Array | ArrayBuffer | ArrayBufferView | string;
export type Tokens = Int32Array | readonly number[];
export type Numbers = Float32Array | Uint16Array | Uint8Array;

/** Loads the library now, from a path if it is given. */
export function load(path?: string): void;
export function version(): string;
export function abiVersion(): number;
export function buildInfo(): Record<string, unknown>;
export function hasFeature(name: string): boolean;
export function statusName(status: number): string;
/** Every option there is. */
export function options(): OptionInfo[];
/** What the module of model files works with on this machine, or why it cannot. */
export function moduleInfo(config?: Config): Record<string, unknown>;

/** A call failed. */
export class KvcError extends Error {
  constructor(code: number, words?: string);
  /** A Status. */
  readonly code: number;
  /** "KVC_E_NO_MEMORY" and the like. */
  readonly status: string;
  /** The message without the name. */
  readonly words: string;
  /** What a request had generated until it failed. */
  readonly response: Response | null;
}
export class KvcClosedError extends KvcError {}
export class KvcMemoryError extends KvcError {}
export class KvcCancelledError extends KvcError {}
export class KvcUnsupportedError extends KvcError {}

/** Options by name. */
export class Config {
  constructor(preset?: string | null, options?: Record<string, string | number | boolean>);
  set(key: string, value: string | number | boolean): this;
  get(key: string): string;
  load(path: string, key?: string | null): this;
  setBackend(backend: Backend | null): this;
  setLogger(level: number, log: ((level: number, message: string) => void) | null): this;
  close(): void;
}

export interface Request {
  /** Text, its UTF-8, or tokens. */
  prompt: string | Uint8Array | Int32Array | readonly number[];
  maxTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  seed?: number | bigint;
  stop?: readonly string[];
  noCache?: boolean;
  /** An Action. */
  action?: number;
  /** A Priority, or any value between. */
  priority?: number;
  sessionId?: string | null;
  tenant?: string | null;
  deadlineMs?: number;
  /** Gets each new piece; false cancels, what it throws comes out of process. */
  onText?: (text: string) => boolean | void;
}
export type Asked = Request | Request['prompt'];

export class Ticket implements AsyncIterable<string> {
  readonly id: bigint;
  wait(options: { timeoutMs: number; signal?: AbortSignal }): Promise<Response | null>;
  wait(options?: { signal?: AbortSignal }): Promise<Response>;
  next(options?: { timeoutMs?: number }): Promise<string | null>;
  cancel(): void;
  close(): void;
  [Symbol.asyncIterator](): AsyncIterator<string>;
}

export interface Message {
  role: string;
  content: string;
}

export interface Rope {
  base: number;
  dims: number;
  freqScale?: number;
  scaling?: string;
  factor?: number;
  attnFactor?: number;
  betaFast?: number;
  betaSlow?: number;
  originalContext?: number;
  interleaved?: boolean;
  applied?: boolean;
}

/** null says that the model has none; what is left out is an error. */
export interface SpaceDesc {
  weights: Bytes;
  tokenizer: Bytes | null;
  rope: Rope | null;
  adapters: readonly { digest: Bytes; scale?: number }[] | null;
  attention: string | null;
  label?: string;
  layers: number;
  kvHeads?: number;
  kHeadDim?: number;
  vHeadDim?: number;
  /** A DType; F32 if it is not said. */
  dtype?: number;
  pageTokens?: number;
  vocabSize?: number;
}

export interface Tenant {
  tenant?: string | null;
}

export class Tensor {
  constructor(data: Numbers, shape: readonly number[], options?: { dtype?: number; strides?: readonly number[] });
  /** Numbers that lie [heads][tokens][dim]. */
  static htd(data: Numbers, heads: number, tokens: number, dim: number, options?: { dtype?: number }): Tensor;
  static empty(shape: readonly number[], dtype: number): Tensor;
  readonly data: Numbers;
  readonly shape: readonly number[];
  readonly dtype: number;
}

export interface Attend {
  scale?: number;
  softcap?: number;
  window?: number;
  sinks?: number;
  later?: number;
  bidirectional?: boolean;
  threads?: number;
  alibiSlopes?: Iterable<number> & ArrayLike<number>;
  sinkScores?: Iterable<number> & ArrayLike<number>;
}

export class SessionView {
  match(tokens: Tokens): number;
  miss(): { reason: number; text: string };
  append(layer: number, k: Tensor, v: Tensor, n?: number): void;
  appendAll(k: readonly Tensor[], v: readonly Tensor[], n?: number): void;
  commit(tokens: Tokens): void;
  read(layer: number, plane: number, from: number, n: number, out: Tensor): Tensor;
  readAll(from: number, n: number, k: readonly Tensor[], v: readonly Tensor[]): void;
  attend(layer: number, query: Tensor, out: Tensor, how?: Attend): Tensor;
  truncate(n: number): void;
  pin(pinned?: boolean): void;
  setPriority(priority: number): void;
  hint(hint: number): void;
  expect(inMs: number): void;
  /** How many tokens the model generated in this session, held by it or not. */
  generated(tokens: number): void;
  info(): SessionInfo;
  tokens(from: number, n: number): Int32Array;
}

export class Session extends SessionView {
  fork(): Session;
  close(hint?: number, inMs?: number): void;
}

export class Space {
  info(): SpaceInfo;
  diff(other: Space): string;
  pageIds(tokens: Tokens, options?: Tenant): Uint8Array[];
  packWrite(path: string, tokens: Tokens, options?: Tenant): number;
  openSession(options?: Tenant & { sessionId?: string | null; priority?: number; noPublish?: boolean; exact?: boolean; noAged?: boolean }): Session;
  close(): void;
}

export class Engine {
  private constructor();
  static open(config?: Config | Record<string, string | number | boolean>): Promise<Engine>;
  close(): Promise<void>;
  process(request: Asked, options?: { signal?: AbortSignal }): Promise<Response>;
  processSync(request: Asked): Response;
  processBatch(requests: readonly Asked[]): Promise<{ error: KvcError | null; responses: (Response | null)[] }>;
  submit(request: Asked): Ticket;
  stream(request: Asked, options?: { signal?: AbortSignal }): AsyncGenerator<string, void, undefined>;
  poll(): bigint[];
  step(): boolean;
  tokenize(text: string | Uint8Array): Int32Array;
  detokenize(tokens: Tokens): string;
  chatText(messages: readonly Message[], answer?: boolean): string;
  openSpace(desc: SpaceDesc): Space;
  space(): Space;
  put(key: Bytes, tensor: Tensor, options?: Tenant): void;
  get(key: Bytes, options?: Tenant & { out?: Tensor | null }): Tensor | null;
  contains(key: Bytes, options?: Tenant): boolean;
  remove(key: Bytes, options?: Tenant): boolean;
  pages(options?: Tenant): PageInfo[];
  pageInfo(id: Uint8Array): PageInfo;
  pageTokens(id: Uint8Array): Int32Array;
  trim(bytes?: number): number;
  stats(): Stats;
  info(): Record<string, unknown>;
  whatif(options?: { budget?: number | bigint; policy?: string | null }): Promise<Whatif>;
  /** objective: an Objective. */
  adapt(metrics?: { objective?: number; prefillSpeed?: number; balancedPosition?: number }): void;
  traceStart(path: string): void;
  traceStop(): number;
  persist(options?: { timeoutMs?: number }): Promise<boolean>;
  persistTo(path: string, options?: Tenant): Promise<number>;
  load(path: string): number;
  packOpen(path: string): number;
  purge(options?: Tenant): number;
}

export interface ModelInfo {
  name: string;
  /** Its vocabSize is the number of logits. */
  space: SpaceDesc;
  /** Longest sequence, tokens. */
  context: number;
  maxBatchTokens?: number;
  bos?: number;
  eos?: number;
  ends?: readonly number[];
  totalTokens?: number;
  stateTokens?: number;
  details?: string;
}

export interface Forward {
  sequence: bigint;
  /** null if the model keeps its own K/V. */
  session: SessionView | null;
  tokens: Int32Array;
  position: number;
  /** To be filled in for the last of the tokens; null if nobody wants them. */
  logits: Float32Array | null;
}

/** A model. With exportKv it keeps its own K/V; without, forward reads the past from the session and appends the new to it. */
export interface Backend {
  describe(): ModelInfo;
  tokenize(text: Uint8Array): Tokens;
  detokenize(token: number): Iterable<number>;
  forward(items: Forward[]): void;
  sequenceOpen?(sequence: bigint): void;
  sequenceClose?(sequence: bigint): void;
  exportKv?(sequence: bigint, session: SessionView, from: number, n: number): void;
  importKv?(sequence: bigint, session: SessionView, tokens: Int32Array, from: number): void;
  truncate?(sequence: bigint, n: number): void;
  saveState?(sequence: bigint, n: number): Iterable<number>;
  loadState?(sequence: bigint, tokens: Int32Array, state: Uint8Array): void;
  chatText?(messages: Message[], answer: boolean): string;
  released?(): void;
}
