import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Exposition } from '../../src/server/exposition.ts';

test('counters and gauges have help, type and one line for each sample', () => {
  const page = new Exposition();
  page.counter('a_total', 'How many', 3);
  page.gauge('b', 'By label', [{ labels: { topic: 't', partition: 1 }, value: 0.5 }]);
  assert.equal(
    page.toString(),
    '# HELP a_total How many\n# TYPE a_total counter\na_total 3\n' +
      '# HELP b By label\n# TYPE b gauge\nb{topic="t",partition="1"} 0.5\n',
  );
});

test('labels are escaped', () => {
  const page = new Exposition();
  page.gauge('b', 'x', [{ labels: { topic: 'a"\\\n' }, value: 1 }]);
  assert.match(page.toString(), /^b\{topic="a\\"\\\\\\n"\} 1$/m);
});

test('the buckets of a histogram are cumulative', () => {
  const page = new Exposition();
  page.histogram('h', 'x', [
    { labels: { door: 'd' }, buckets: { bounds: [1, 2], counts: [3, 4, 5], sum: 42 } },
  ]);
  assert.deepEqual(page.toString().split('\n').slice(2, 7), [
    'h_bucket{door="d",le="1"} 3',
    'h_bucket{door="d",le="2"} 7',
    'h_bucket{door="d",le="+Inf"} 12',
    'h_sum{door="d"} 42',
    'h_count{door="d"} 12',
  ]);
});
