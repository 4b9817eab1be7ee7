// constants.cjs for import.
// Written by bindings/generate from include/kvc/kvc.h; do not edit.
import constants from './constants.cjs';

export const { Status, DType, Plane, Priority, CloseHint, Hint, Action, FinishReason, MissReason, Tier, LogLevel, Policy, OptionType, Absent, Strategy, Reason, Objective, BackendKind } = constants;
