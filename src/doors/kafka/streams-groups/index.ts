export { listEndpoints } from './endpoints.ts';
export type { StreamsGroup } from './streams-group.ts';
export { type Beaten, StreamsGroups } from './streams-groups.ts';
export { hasToRevoke, type StreamsMember } from './streams-member.ts';
export { toWire } from './tasks.ts';
export { type InternalTopic, type Status, statusCodes } from './topology.ts';
