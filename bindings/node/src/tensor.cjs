// Typed arrays with a shape. kvc reads or writes them where they lie, during a call.
'use strict';

const { refuse, struct, structs } = require('./memory.cjs');
const { DType, Status } = require('./constants.cjs');
const { constants } = require('./raw.cjs');

const WIDTH = { [DType.F32]: 4, [DType.F16]: 2, [DType.BF16]: 2, [DType.U8]: 1 };

function dtypeOf(data) {
  if (data instanceof Float32Array) return DType.F32;
  if (data instanceof Uint8Array) return DType.U8;
  return refuse(Status.DTYPE, `${data && data.constructor && data.constructor.name}: give its dtype; Uint16Array holds the bits of DType.F16 or DType.BF16`);
}

class Tensor {
  /** data: Float32Array, Uint16Array (the bits of f16 and bf16) or Uint8Array. */
  constructor(data, shape, { dtype = dtypeOf(data), strides = null } = {}) {
    if (!shape.length || shape.length > constants.KVC_MAX_DIMS) {
      refuse(Status.SHAPE, `a tensor has ${shape.length} dimensions; it must have 1 to ${constants.KVC_MAX_DIMS}`);
    }
    if (strides && strides.length !== shape.length) refuse(Status.SHAPE, `${strides.length} strides for ${shape.length} dimensions`);
    this.data = data;
    this.shape = Array.from(shape, Number);
    this.dtype = dtype;
    this.strides = strides;
  }

  /** Numbers that lie [heads][tokens][dim]; the indices are [token][head][dim] all the same. */
  static htd(data, heads, tokens, dim, options = {}) {
    return new Tensor(data, [tokens, heads, dim], { ...options, strides: [dim, tokens * dim, 1] });
  }

  /** Room for numbers of a shape. */
  static empty(shape, dtype) {
    const n = shape.reduce((a, b) => a * b, 1);
    const Kind = dtype === DType.F32 ? Float32Array : WIDTH[dtype] === 2 ? Uint16Array : Uint8Array;
    return new Tensor(new Kind(n), shape, { dtype });
  }

  _fill(c) {
    c.pointer('data', this.data).u64('size', this.data.byteLength).u32('dtype', this.dtype).u32('n_dims', this.shape.length);
    this.shape.forEach((n, i) => c.view.setBigInt64(c.at.shape + 8 * i, BigInt(n), true));
    if (this.strides) this.strides.forEach((n, i) => c.view.setBigInt64(c.at.strides + 8 * i, BigInt(n), true));
    return c;
  }

  /** As C sees it. */
  _c() {
    return this._fill(struct('kvc_tensor_t'));
  }
}

/** Tensors in a row, as C sees them: { memory, items }. */
function cTensors(list) {
  const all = structs('kvc_tensor_t', list.length);
  list.forEach((tensor, i) => tensor._fill(all.items[i]));
  return all;
}

/** The numbers and the shape of a kvc_tensor_t that kvc filled in. */
function room(c) {
  const n = c.view.getUint32(c.at.n_dims, true);
  const shape = Array.from({ length: n }, (_, i) => Number(c.view.getBigInt64(c.at.shape + 8 * i, true)));
  return Tensor.empty(shape, c.view.getInt32(c.at.dtype, true));
}

module.exports = { Tensor, cTensors, room };
