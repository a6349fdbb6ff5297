export type { AmqpDoorLimits, AmqpDoorOptions } from './door.ts';
export { AmqpDoor } from './door.ts';
