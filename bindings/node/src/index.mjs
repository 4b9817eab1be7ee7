// The package for `import`; what it is, is in index.cjs.
import kvc from './index.cjs';

export * from './constants.mjs';
export const {
  Config, Engine, Ticket, Space, Session, SessionView, Tensor, KvcError, KvcClosedError, KvcMemoryError, KvcCancelledError, KvcUnsupportedError, load,
  moduleInfo, options, statusName, version, abiVersion, buildInfo, hasFeature,
} = kvc;
export default kvc;
