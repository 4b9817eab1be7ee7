// Options by name, and what else an engine can be given.
'use strict';

const { lib } = require('./library.cjs');
const { Handle } = require('./handle.cjs');
const { Entry, onLog } = require('./callbacks.cjs');
const { check } = require('./errors.cjs');
const records = require('./records.cjs');
const { cstring, struct, written } = require('./memory.cjs');
const { table } = require('./backend.cjs');

/** new Config('memory_efficient').set('memory', '64MiB') */
class Config extends Handle {
  constructor(preset = null, options = {}) {
    const out = new BigUint64Array(1);
    check(lib.kvc_config_create(cstring(preset), out));
    const raw = out[0];
    const entries = new Map();
    super(raw, () => {
      lib.kvc_config_destroy(raw);
      for (const entry of entries.values()) entry.drop();
      entries.clear();
    });
    this._entries = entries;
    for (const [key, value] of Object.entries(options)) this.set(key, value);
  }

  _check(status) {
    return check(status, lib.kvc_config_last_error, this._raw);
  }

  set(key, value) {
    this._check(lib.kvc_config_set(this._raw, cstring(key), cstring(value)));
    return this;
  }

  get(key) {
    const name = cstring(key);
    return written((b, c, n) => this._check(lib.kvc_config_get(this._raw, name, b, c, n)));
  }

  /** Sets the options that the engine of a directory had, but secrets. key: its option disk_key. */
  load(path, key = null) {
    this._check(lib.kvc_config_load(this._raw, cstring(path), cstring(key)));
    return this;
  }

  /** Gives engines a model; null takes it back. */
  setBackend(backend) {
    return this._give('backend', backend && { backend }, 'kvc_config_set_backend', (number) => table(backend, number));
  }

  /** log(level, message) for lines up to a LogLevel; null takes it back. */
  setLogger(level, log) {
    return this._give('logger', log, 'kvc_config_set_logger',
      (number) => struct('kvc_logger_t').u64('user_data', number).u32('level', level).u64('log', onLog()));
  }

  _give(name, object, call, make) {
    const fresh = object ? new Entry(object) : null;
    try {
      const c = fresh ? make(fresh.number) : null;
      this._check(lib[call](this._raw, c && c.memory));
    } catch (error) {
      if (fresh) fresh.drop();
      throw error;
    }
    const old = this._entries.get(name);
    if (fresh) this._entries.set(name, fresh);
    else this._entries.delete(name);
    if (old) old.drop();
    return this;
  }
}

/** Every option there is. */
function options() {
  return Array.from({ length: lib.kvc_option_count() }, (_, i) => {
    const info = struct('kvc_option_info_t');
    check(lib.kvc_option_info(i, info.memory));
    return records.optionInfo(info.view);
  });
}

/** What the module of model files works with on this machine, or why it cannot. */
function moduleInfo(config = null) {
  return JSON.parse(written((b, c, n) => check(lib.kvc_module_info(config ? config._raw : 0, b, c, n))));
}

module.exports = { Config, moduleInfo, options };
