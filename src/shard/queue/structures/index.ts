export { OffsetSet } from './offset-set.ts';
