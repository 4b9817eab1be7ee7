// Finds libkvc.so, loads it once, and gives every function its signature when it is first called.
'use strict';

const fs = require('fs');
const path = require('path');
const koffi = require('koffi');
const raw = require('./raw.cjs');

const NAME = `libkvc.so.${raw.ABI_VERSION}`;
let library = null;
let found = null;

/** Where it may lie. What is named explicitly has no alternative. */
function candidate(wanted) {
  if (wanted) return wanted;
  if (process.env.KVC_LIBRARY) return process.env.KVC_LIBRARY;
  if (process.env.KVC_LIBRARY_PATH) return path.join(process.env.KVC_LIBRARY_PATH, NAME);
  const bundled = path.join(__dirname, '..', 'lib', `${process.platform}-${process.arch}`, NAME);
  return fs.existsSync(bundled) ? bundled : NAME;
}

/** Loads the library now, from a path if it is given. */
function load(wanted) {
  if (library) {
    if (wanted && wanted !== found) throw new Error(`kvc is loaded already, from ${found}`);
    return;
  }
  const file = candidate(wanted);
  let opened;
  try {
    opened = koffi.load(file);
  } catch (error) {
    throw new Error(`libkvc could not be loaded: ${error.message}. Name it by load(path), by KVC_LIBRARY (a file) or by KVC_LIBRARY_PATH `
      + '(a folder)');
  }
  const abi = opened.func('kvc_abi_version', 'uint32_t', [])();
  if (abi !== raw.ABI_VERSION) {
    throw new Error(`${file} speaks ABI ${abi}, this package ABI ${raw.ABI_VERSION}: install the library that belongs to it, or name another `
      + 'by KVC_LIBRARY');
  }
  library = opened;
  found = file;
}

/** The functions of kvc.h by name. */
const lib = {};
for (const [name, [result, parameters]] of Object.entries(raw.functions)) {
  Object.defineProperty(lib, name, {
    configurable: true,
    get() {
      load();
      let value;
      try {
        value = library.func(name, result, parameters);
      } catch {
        throw new Error(`${found} has no ${name}: it is older than this package (${raw.VERSION})`);
      }
      Object.defineProperty(lib, name, { value });
      return value;
    },
  });
}

module.exports = { lib, load };
