export { Quotas } from './quotas.ts';
