// kvc for Node: the K/V cache that any program can embed.
'use strict';

const { lib, load } = require('./library.cjs');
const constants = require('./constants.cjs');
const { KvcError, KvcClosedError, KvcMemoryError, KvcCancelledError, KvcUnsupportedError, statusName } = require('./errors.cjs');
const { Config, moduleInfo, options } = require('./config.cjs');
const { Engine } = require('./engine.cjs');
const { Ticket } = require('./request.cjs');
const { Space } = require('./space.cjs');
const { Session, SessionView } = require('./session.cjs');
const { Tensor } = require('./tensor.cjs');
const { cstring } = require('./memory.cjs');
const { textAt } = require('./text.cjs');

module.exports = {
  ...constants, Config, Engine, Ticket, Space, Session, SessionView, Tensor, KvcError, KvcClosedError, KvcMemoryError, KvcCancelledError,
  KvcUnsupportedError, load, moduleInfo, options, statusName,
  version: () => textAt(lib.kvc_version_string()),
  abiVersion: () => lib.kvc_abi_version(),
  buildInfo: () => JSON.parse(textAt(lib.kvc_build_info())),
  hasFeature: (name) => lib.kvc_has_feature(cstring(name)) !== 0,
};
