// Text in memory of C.
'use strict';

const koffi = require('koffi');

/** What lies at an address, up to its terminating zero or of a size; '' at no address. */
function textAt(address, size) {
  return !address ? '' : size === undefined ? koffi.decode.string(address) : size ? Buffer.from(koffi.view(address, size), 0, size).toString('utf8') : '';
}

module.exports = { textAt };
