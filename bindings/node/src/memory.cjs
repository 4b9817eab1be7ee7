// Memory of C: what is written into structs that kvc reads, and what is read out of those it writes.
'use strict';

const koffi = require('koffi');
const { error } = require('./errors.cjs');
const raw = require('./raw.cjs');
const { textAt } = require('./text.cjs');

const FOR_EVER = 0xffffffffffffffffn;

/** A struct in memory of ours: `struct('kvc_request_t').set('max_tokens', 5)`. What its pointers lead to is kept with it. */
class Struct {
  constructor(name, memory) {
    const { sizeof, at } = raw.structs[name];
    this.at = at;
    this.sizeof = sizeof;
    this.memory = memory || new Uint8Array(sizeof);
    this.view = new DataView(this.memory.buffer, this.memory.byteOffset, sizeof);
    this.keep = [];
    if (!memory || this.view.getBigUint64(0, true) === 0n) this.view.setBigUint64(0, BigInt(sizeof), true);
  }

  u32(field, value) {
    this.view.setInt32(this.at[field], Number(value), true);
    return this;
  }

  u64(field, value) {
    this.view.setBigUint64(this.at[field], BigInt.asUintN(64, BigInt(value)), true);
    return this;
  }

  f64(field, value) {
    this.view.setFloat64(this.at[field], value, true);
    return this;
  }

  /** A pointer to a buffer, typed array or Struct; null is NULL. */
  pointer(field, target) {
    if (target === null || target === undefined) return this.u64(field, 0n);
    const memory = target instanceof Struct ? target.memory : target;
    this.keep.push(target);
    return this.u64(field, koffi.address(memory));
  }
}

/** n structs in a row: { memory, items }. */
function structs(name, n) {
  const { sizeof } = raw.structs[name];
  const memory = new Uint8Array(Math.max(n, 1) * sizeof);
  return { memory, items: Array.from({ length: n }, (_, i) => new Struct(name, memory.subarray(i * sizeof, (i + 1) * sizeof))) };
}

const struct = (name) => new Struct(name);

/** An argument that is not what it must be. */
function refuse(status, words) {
  throw error(status, words);
}

/** Zero-terminated text; null for null. Text with a zero inside would be cut, so it is refused. */
function cstring(text) {
  if (text === null || text === undefined) return null;
  const value = String(text);
  if (value.includes('\0')) refuse(-100, `text with a zero character inside: '${value}'`);
  return Buffer.from(`${value}\0`, 'utf8');
}

/** Bytes of a key or digest: text, or anything with bytes. An empty one has an address too. */
function octets(value) {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

const NOTHING = new Uint8Array(8);

function some(memory) {
  return memory.byteLength ? memory : NOTHING;
}

function tokens(list) {
  return list instanceof Int32Array ? list : Int32Array.from(list);
}

/** A view of memory of C. */
function at(address, size) {
  return new DataView(koffi.view(address, size), 0, size);
}

function bytesAt(address, size) {
  return size ? new Uint8Array(koffi.view(address, size)).slice(0, size) : new Uint8Array(0);
}

// Fields of a DataView over a struct.
const address = (v, offset) => v.getBigUint64(offset, true);
const size = (v, offset) => Number(v.getBigUint64(offset, true));
const text = (v, offset, length) => textAt(address(v, offset), size(v, length));
const terminated = (v, offset) => textAt(address(v, offset));
const ints = (v, offset, n) => new Int32Array(bytesAt(address(v, offset), 4 * size(v, n)).buffer);
const bytes = (v, offset, n) => new Uint8Array(v.buffer, v.byteOffset + offset, n).slice();
const counts = (v, offset, n) => Array.from({ length: n }, (_, i) => size(v, offset + 8 * i));

function chars(v, offset, n) {
  const all = Buffer.from(v.buffer, v.byteOffset + offset, n);
  const end = all.indexOf(0);
  return all.toString('utf8', 0, end < 0 ? n : end);
}

/** The text that a function writes into (buffer, capacity, length), after checking its own status. */
function written(write) {
  const length = new BigUint64Array(1);
  for (let capacity = 512; ;) {
    const buffer = Buffer.alloc(capacity);
    write(buffer, capacity, length);
    const n = Number(length[0]);
    if (n < capacity) return buffer.toString('utf8', 0, n);
    capacity = n + 1;
  }
}

module.exports = {
  FOR_EVER, NOTHING, Struct, struct, structs, refuse, cstring, octets, some, tokens, at, bytesAt, text, terminated, ints, bytes, counts, chars,
  written,
};
