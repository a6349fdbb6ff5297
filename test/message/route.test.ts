import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from '../support/fast-check.ts';
import { addRoute, HeaderWriter, readRoute, type Route } from '../../src/message/index.ts';

/** Adds a route to a message that goes to `queue` and reads it from the record. */
function roundTrip(
  given: { exchange: string; routingKey: string; key?: string | Uint8Array; hasCopies?: boolean },
  queue: string,
): Route {
  const writer = new HeaderWriter();
  if (given.key !== undefined) writer.header('pabal.key', given.key);
  const key = addRoute(writer, given.exchange, given.routingKey, given.hasCopies ?? false);
  const headers = writer.finish();
  const bytes = Buffer.concat([key ?? Buffer.alloc(0), headers]);
  const keyBytes = key?.length ?? 0;
  return readRoute(bytes, keyBytes, bytes.length, 0, key === null ? -1 : keyBytes, queue);
}

test('exchange, routing key and key come back', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('', 'topic', 'ex'),
      fc.string({ unit: 'grapheme' }),
      fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined }),
      fc.boolean(),
      (exchange, routingKey, key, hasCopies) => {
        const queue = exchange === '' ? routingKey : 'some queue';
        const route = roundTrip(
          { exchange, routingKey, hasCopies, ...(key === undefined ? {} : { key }) },
          queue,
        );
        assert.deepEqual(route, { exchange, routingKey, key });
      },
    ),
  );
});

test('a copy keeps the first routing key', () => {
  const route = roundTrip({ exchange: '', routingKey: 'first', hasCopies: true }, 'second');
  assert.deepEqual(route, { exchange: '', routingKey: 'first', key: undefined });
});

test('a message to the default exchange stores nothing of its route', () => {
  const writer = new HeaderWriter();
  assert.equal(addRoute(writer, '', 'queue', false), null);
  assert.equal(writer.count, 0);
});

test('bytes may be the key', () => {
  const key = Buffer.from([0xff, 0x00]);
  const route = roundTrip({ exchange: 'ex', routingKey: 'r', key }, 'q');
  assert.deepEqual(route, { exchange: 'ex', routingKey: 'r', key });
});

test('the key of a log record is shown as its key, its queue as its routing key', () => {
  const bytes = Buffer.from('user-7');
  assert.deepEqual(readRoute(bytes, 6, 6, 0, 6, 'orders'), {
    exchange: '',
    routingKey: 'orders',
    key: 'user-7',
  });
});
