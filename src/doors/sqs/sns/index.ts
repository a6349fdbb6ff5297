export { keepSubscriptionsOf } from './orphans.ts';
export type { SnsAction } from './sns-api.ts';
export { SnsApi } from './sns-api.ts';
