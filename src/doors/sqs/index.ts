export type { SqsDoorOptions } from './door.ts';
export { SqsDoor } from './door.ts';
