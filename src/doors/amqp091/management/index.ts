export type { ListeningDoor } from './api.ts';
export type { ManagementDoorOptions } from './door.ts';
export { importDefinitionsText, ManagementDoor } from './door.ts';
