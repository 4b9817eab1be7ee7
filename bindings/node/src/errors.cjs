// One class for every failing call, with subclasses for what programs tell apart.
'use strict';

const { lib } = require('./library.cjs');
const { Status } = require('./constants.cjs');
const { textAt } = require('./text.cjs');

const statusName = (code) => textAt(lib.kvc_status_name(code));

/** A call failed: `code` (a Status), `status` ("KVC_E_..."), `words` (what, how much, what to do). */
class KvcError extends Error {
  constructor(code, words = '') {
    const said = words || textAt(lib.kvc_status_text(code));
    super(`${statusName(code)}: ${said}`);
    this.name = this.constructor.name;
    this.code = code;
    this.status = statusName(code);
    this.words = said;
    /** What a request had generated until it failed, or null. */
    this.response = null;
  }
}
class KvcClosedError extends KvcError {}
class KvcMemoryError extends KvcError {}
class KvcCancelledError extends KvcError {}
class KvcUnsupportedError extends KvcError {}

const KINDS = new Map([
  [Status.CLOSED, KvcClosedError], [Status.FORKED, KvcClosedError], [Status.NO_MEMORY, KvcMemoryError], [Status.BUDGET, KvcMemoryError],
  [Status.CANCELLED, KvcCancelledError], [Status.DEADLINE, KvcCancelledError], [Status.UNSUPPORTED, KvcUnsupportedError],
]);

function error(code, words = '', response = null) {
  const made = new (KINDS.get(code) || KvcError)(code, words);
  made.response = response;
  return made;
}

/** What a handle says of its last failure. */
function lastError(ask, handle) {
  for (let size = 512; ;) {
    const buffer = Buffer.alloc(size);
    const length = Number(ask(handle, buffer, size));
    if (length < size) return buffer.toString('utf8', 0, length);
    size = length + 1;
  }
}

function wordsOf(status, ask, handle) {
  return !ask || status === Status.CLOSED || status === Status.NULL || status === Status.FORKED ? '' : lastError(ask, handle);
}

/** Throws for a negative status, with the words of the handle it came from. */
function check(status, ask, handle) {
  if (status < 0) throw error(status, wordsOf(status, ask, handle));
  return status;
}

module.exports = { KvcError, KvcClosedError, KvcMemoryError, KvcCancelledError, KvcUnsupportedError, check, error, statusName, wordsOf };
