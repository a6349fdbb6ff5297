export type { KafkaDoorLimits, KafkaDoorOptions } from './door.ts';
export { KafkaDoor } from './door.ts';
export { type GroupPresets, presetGroups } from './group-presets.ts';
export type { HostPort } from './handler.ts';
