export type { AmqpDoorLimits, AmqpDoorOptions } from './door.ts';
export { AmqpDoor } from './door.ts';
export type { ListeningDoor, ManagementDoorOptions } from './management/index.ts';

/** RabbitMQ's management API, loaded when somebody wants it. */
export function loadManagement() {
  return import('./management/index.ts');
}
