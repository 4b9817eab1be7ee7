// The constants of kvc.h, grouped.
// Written by bindings/generate from include/kvc/kvc.h; do not edit.
'use strict';

exports.Status = Object.freeze({
  OK: 0,
  END: 1, // a stream or an iteration is over
  PENDING: 2, // not ready within the time allowed: ask again
  INVALID: -100, // an argument makes no sense; the message says which
  NULL: -101, // a required pointer or handle is NULL
  STRUCT_SIZE: -102, // struct_size is too small, or the unknown tail of a larger one is not 0
  UNKNOWN_OPTION: -103, // no option of that name; kvc_option_info lists them
  OUT_OF_RANGE: -104, // a value outside of its documented range
  SHAPE: -105, // a tensor's shape or strides do not fit the space or the buffer
  DTYPE: -106, // a tensor's dtype does not fit
  TOKEN: -107, // a token id is negative or beyond the vocabulary
  UTF8: -108, // text is not valid UTF-8
  IDENTITY: -109, // a space's identity is incomplete: give the field or say "none"
  CLOSED: -200, // the handle was closed, or never was one
  ORDER: -201, // calls in the wrong order, or a position that is not the next one
  MISSING_LAYERS: -202, // commit before every layer has its tokens
  FORKED: -203, // the handle belongs to the parent process
  BUSY: -204, // the object is in use in a way that forbids this call now
  CANCELLED: -205, // the request was cancelled
  DEADLINE: -206, // the request's deadline has passed
  NOT_FOUND: -207, // no such ticket or page
  NO_MEMORY: -300, // the budget or the machine has no room; what is stored stays usable
  BUDGET: -301, // the memory budget cannot hold even one page of this layout
  CONTEXT: -302, // prompt (and answer) longer than the model's context
  QUEUE_FULL: -303, // too many requests wait
  BUFFER: -304, // the caller's buffer is too small; the needed size is reported
  IO: -400, // the operating system refused
  CORRUPT: -500, // bytes failed their check
  DEVICE: -600, // an accelerator failed
  BACKEND: -650, // the model backend failed; the message has its words
  INTERNAL: -700, // a defect of kvc
  UNSUPPORTED: -701, // known, but not in this build or not for this object
  USER: -900, // free for callbacks to return; kvc itself never does
});

exports.DType = Object.freeze({
  F32: 1, // IEEE 754 binary32
  F16: 2, // IEEE 754 binary16
  BF16: 3, // bfloat16
  U8: 4, // opaque bytes, e.g. rows that a runtime has quantised: stored and given back as they are
});

exports.Plane = Object.freeze({
  KEY: 0,
  VALUE: 1,
});

exports.Priority = Object.freeze({
  BACKGROUND: -200,
  LOW: -100,
  NORMAL: 0,
  HIGH: 100,
  CRITICAL: 200,
});

exports.CloseHint = Object.freeze({
  KEEP: 0, // nothing: the policy decides
  FINISHED: 1, // it will not come back: pages that only it used leave first
  IDLE: 2, // it comes back at about the given time: until then its own pages may leave
});

exports.Hint = Object.freeze({
  NONE: 0, // nothing: takes earlier hints back
  TURN_END: 1, // an answer ended; a person reads it, and may go on
  TOOL_CALL: 2, // an answer asked for a tool; a program goes on, usually soon
  ONE_OFF: 3, // a request of its own: it belongs to no conversation
  SHARED: 4, // a prefix (system prompt, document) that others will begin with
});

exports.Action = Object.freeze({
  PROCESS: 0, // generate an answer
  PREFETCH: 1, // make the cached part of the prompt recent; compute nothing
  STORE: 2, // compute and cache what is missing of the prompt; generate nothing
  RETRIEVE: 3, // say how much of the prompt is cached; change nothing
});

exports.FinishReason = Object.freeze({
  NONE: 0, // nothing was to be generated
  LENGTH: 1, // max_tokens reached
  STOP: 2, // a stop string was met; it is not part of the text
  EOS: 3, // the model ended its text
  CANCELLED: 4,
  DEADLINE: 5,
  ERROR: 6,
});

exports.MissReason = Object.freeze({
  NONE: 0, // no miss: everything that can be reused was reused
  NEW: 1, // this prefix was never stored here
  PARTIAL: 2, // a part was found; from there on the tokens differ
  IDENTITY: 3, // the tokens are stored, but in a space that differs (the text says in what)
  DISABLED: 4, // reuse was switched off
  SHORT: 5, // the prompt has no token that could be reused
  TIMEOUT: 6, // stored on disk, but it did not come within option disk_timeout
  RECOMPUTE: 7, // stored on disk, but to compute it is expected to be faster than to read it
  DAMAGED: 8, // stored on disk, but the bytes failed their check: they are not used
  COUNT: 9, // number of reasons above
});

exports.Tier = Object.freeze({
  HOST: 1,
  DEVICE: 2,
  DISK: 3,
  REMOTE: 4,
});

exports.LogLevel = Object.freeze({
  ERROR: 1,
  WARN: 2,
  INFO: 3,
  DEBUG: 4,
});

exports.Policy = Object.freeze({
  INSERTED: 1, // it came in
  USED: 2, // a match found it, or kvc_get a tensor
  ENDED: 3, // a session that led to it closed
});

exports.OptionType = Object.freeze({
  INTEGER: 1,
  SIZE: 2,
  TIME: 3,
  REAL: 4,
  SWITCH: 5,
  CHOICE: 6, // one of the words in `choices`, separated by '|'
  TEXT: 7,
});

exports.Absent = Object.freeze({
  TOKENIZER: 1,
  ROPE: 2,
  ADAPTERS: 4,
  ATTENTION: 8,
});

exports.Strategy = Object.freeze({
  FIXED: 0, // its one rule
  LEARNED: 1, // adaptive: what it learned of reuse
  RECENCY: 2, // adaptive: what was used longest ago leaves first
});

exports.Reason = Object.freeze({
  NONE: 0, // it did not
  LOST: 1, // what it learned had cost hits that recency would have had
  RETRY: 2, // another try with what was learned meanwhile
  METRICS: 3, // kvc_adapt asked for another objective
});

exports.Objective = Object.freeze({
  HITS: 0, // tokens found in the cache
  TIME: 1, // time of prefill spared: a token late in a sequence costs more to compute again
});

exports.BackendKind = Object.freeze({
  PAGED: 1, // keeps no K/V: `forward` reads the past from the session and appends the new to it
  OWN_KV: 2, // keeps its own K/V per sequence; kvc has it exported to, and imported from, sessions
});
