export type { SnsAction } from './sns-api.ts';
export { SnsApi } from './sns-api.ts';
