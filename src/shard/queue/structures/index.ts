export { type DedupBounds, DedupWindow } from './dedup-window.ts';
export { DamagedSet } from './damaged-set.ts';
export { DelayedSet } from './delayed-set.ts';
export { GroupTable } from './group-table.ts';
export { LaneSet } from './lane-set.ts';
export { LeaseTable } from './lease-table.ts';
export { OffsetSet } from './offset-set.ts';
export { ReturnedSet } from './returned-set.ts';
