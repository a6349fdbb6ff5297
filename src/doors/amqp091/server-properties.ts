import type { Field, FieldTable } from './wire/index.ts';

/**
 * The version of RabbitMQ whose behaviour this door has. Clients and tools branch on it (the management tools, Celery,
 * Spring), so it is given where RabbitMQ gives its own; `product` and `pabal_version` say who we are.
 */
export const compatibleVersion = '4.3.0';

/** What RabbitMQ calls its capabilities; a client uses an extension only where it stands here. */
const capabilities = [
  'publisher_confirms',
  'exchange_exchange_bindings',
  'basic.nack',
  'consumer_cancel_notify',
  'connection.blocked',
  'consumer_priorities',
  'authentication_failure_close',
  'per_consumer_qos',
  'direct_reply_to',
] as const;

/** The table that connection.start carries. */
export function serverProperties(version: string, clusterName: string): FieldTable {
  const truths = capabilities.map((name): [string, Field] => [name, { type: 't', value: true }]);
  return new Map<string, Field>([
    ['capabilities', { type: 'F', value: new Map(truths) }],
    ['cluster_name', { type: 'S', value: clusterName }],
    ['copyright', { type: 'S', value: 'The authors of Pabal' }],
    ['information', { type: 'S', value: 'Licensed under the Apache License 2.0' }],
    ['pabal_version', { type: 'S', value: version }],
    ['platform', { type: 'S', value: 'Node.js' }],
    ['product', { type: 'S', value: 'Pabal' }],
    ['version', { type: 'S', value: compatibleVersion }],
  ]);
}
