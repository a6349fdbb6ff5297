export type { BuiltInExchanges } from './built-in-exchanges.ts';
export { builtInExchanges } from './built-in-exchanges.ts';
export type { Destinations, TopologyJournal, TopologyParts } from './topology.ts';
export { Topology } from './topology.ts';
