// Light on purpose: the CLI loads this for `--help`. What is heavy is behind `serve`, which imports it when called.
export type { Config, ConfigInput } from './config.ts';
export { describeConfig, loadConfig, openDoors } from './config.ts';
export { StartFailure } from './failure.ts';
export type { Address, Kind } from './kind.ts';
export {
  address,
  byteSize,
  duration,
  integer,
  plainText,
  printAddress,
  printBytes,
  printDuration,
  properties,
  several,
  truth,
  ValueError,
} from './kind.ts';
export { serve } from './serve.ts';
export type { DoorName, DoorSettingKey, SettingKey, Settings } from './settings.ts';
export {
  doorNames,
  doorSettingKeys,
  doorSettingTable,
  doorTable,
  flagOf,
  settingKeys,
  settingTable,
  variableOf,
} from './settings.ts';
export { findNearest, suggest } from './suggestion.ts';
export type { ConfiguredUser } from './users.ts';
export { applyUsers } from './users.ts';
