// What objects with a C handle share, and how calls are made that may take long.
'use strict';

const { lib } = require('./library.cjs');
const { Status } = require('./constants.cjs');

const forgotten = new FinalizationRegistry((release) => release());

/** Owns a C handle. kvc checks every handle: a call after close throws KvcClosedError. Whoever forgets close() leaves it to the collector. */
class Handle {
  /** release() must not refer to this object. */
  constructor(raw, release) {
    this._raw = raw;
    this._release = release;
    if (release) forgotten.register(this, release, this);
  }

  /** The handle is closed; tells whether it was open. */
  _forget() {
    const open = this._release !== null;
    this._release = null;
    forgotten.unregister(this);
    return open;
  }

  close() {
    const release = this._release;
    if (this._forget() && release) release();
  }
}
if (Symbol.dispose) {
  Handle.prototype[Symbol.dispose] = function dispose() {
    this.close();
  };
}

/** A function of the library on a thread of libuv's pool. `keep`: what must live until it returns. */
function onPool(name, args, keep = null) {
  return new Promise((resolve, reject) => {
    const live = [args, keep];
    lib[name].async(...args, (failure, result) => {
      live.length = 0;
      if (failure) reject(failure);
      else resolve(result);
    });
  });
}

// libuv's pool has four threads, which files and names need as well: waiting takes at most two of them, and what finds none is asked again.
let seats = 2;
const SLICE_NS = 100_000_000n;
const PAUSE_MS = 1;

/** Waits until call(timeout_ns, name => function) gives something else than KVC_PENDING. args(ns): the arguments of the function. */
async function patiently(name, args, until = Infinity) {
  for (;;) {
    let status;
    const left = until - performance.now();
    if (seats > 0 && left > 0) {
      seats -= 1;
      try {
        const slice = left < 100 ? BigInt(Math.max(1, Math.floor(left * 1e6))) : SLICE_NS;
        status = await onPool(name, args(slice));
      } finally {
        seats += 1;
      }
    } else {
      status = lib[name](...args(0n));
      if (status === Status.PENDING && left > 0) await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
    }
    if (status !== Status.PENDING || performance.now() >= until) return status;
  }
}

module.exports = { Handle, onPool, patiently };
