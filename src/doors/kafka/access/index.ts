export { Authorizer } from './authorizer.ts';
export { operationCodes } from './guard.ts';
export { guarded } from './guards.ts';
