import assert from 'node:assert/strict';
import test from 'node:test';
import { compileSubscriptionFilter } from '../../../../src/doors/sqs/sns/filter.ts';

test('a filter over bodies looks into lists of lists, and takes nothing that is nested without end', () => {
  const filter = compileSubscriptionFilter({
    FilterPolicyScope: 'MessageBody',
    FilterPolicy: JSON.stringify({ Records: { s3: { key: [{ prefix: 'auto-' }] } } }),
  });
  assert.ok(filter !== undefined);
  const takes = (message: string): boolean => filter({ message, attributes: undefined });
  assert.equal(takes('{"Records":[{"s3":[[{"key":"auto-1"}]]}]}'), true);
  assert.equal(takes('{"Records":[{"s3":[[{"key":"home-1"}]]}]}'), false);
  assert.equal(takes(`{"Records":${'['.repeat(100_000)}${']'.repeat(100_000)}}`), false);
  assert.equal(takes('no JSON'), false);
});
