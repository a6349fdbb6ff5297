export type { AdminContext } from './context.ts';
export type { AdminDoorOptions } from './door.ts';
export { AdminDoor } from './door.ts';
export { openApiDocument } from './openapi.ts';
export { routes } from './routes.ts';
