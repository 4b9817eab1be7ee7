// JavaScript functions that kvc calls. Each kind has one C function for the whole process; user_data is a number under which the object is
// found. They run on Node's own thread: kvc's thread waits until the event loop comes to it.
'use strict';

const koffi = require('koffi');
const raw = require('./raw.cjs');
const { textAt } = require('./text.cjs');
const { Status } = require('./constants.cjs');

const objects = new Map();
let last = 0n;

/** One object that kvc may call; ends with the last configuration or engine that has it. */
class Entry {
  constructor(object) {
    last += 1n;
    this.number = last;
    this.users = 1;
    objects.set(this.number, object);
  }

  share() {
    this.users += 1;
    return this;
  }

  drop() {
    this.users -= 1;
    if (this.users === 0) objects.delete(this.number);
  }
}

function find(number) {
  const object = objects.get(BigInt(number));
  if (!object) throw new Error('the object of this callback is gone');
  return object;
}

/** Something was thrown, and there is nobody to throw it to. */
function report(error) {
  process.emitWarning(`kvc: a callback threw: ${(error && error.stack) || error}`);
}

const made = new Map();

/** The address of the C function of a kind, made when it is first needed. */
function callback(name, body) {
  if (!made.has(name)) {
    const [result, parameters] = raw.callbacks[name];
    made.set(name, koffi.register(body, koffi.pointer(koffi.proto(result, parameters))));
  }
  return made.get(name);
}

const onText = () => callback('kvc_stream_fn', (user, _ticket, text, size) => {
  const sink = objects.get(BigInt(user));
  if (!sink) return Status.USER;
  try {
    return sink.onText(textAt(text, Number(size))) === false ? Status.USER : Status.OK;
  } catch (error) {
    sink.thrown = { error };
    return Status.USER;
  }
});

const onLog = () => callback('kvc_logger_log', (user, level, message) => {
  try {
    find(user)(level, textAt(message));
  } catch (error) {
    report(error);
  }
});

module.exports = { Entry, callback, find, onLog, onText, report };
