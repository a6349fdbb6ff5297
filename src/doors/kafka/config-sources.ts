/** Where a configuration's value comes from, as DescribeConfigs numbers it. */
export const configSources = {
  topic: 1,
  allBrokers: 3,
  staticBroker: 4,
  default: 5,
  group: 8,
} as const;

/** The kinds of things that have a configuration. */
export const resourceTypes = {
  topic: 2,
  broker: 4,
  brokerLogger: 8,
  clientMetrics: 16,
  group: 32,
} as const;
