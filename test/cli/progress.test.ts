import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress } from '../../src/cli/progress.ts';

function record(isTTY: boolean) {
  const sink = {
    isTTY,
    columns: 200,
    text: '',
    write(text: string) {
      this.text += text;
    },
  };
  return sink;
}

test('a terminal shows a bar with the share that is done', () => {
  const sink = record(true);
  new Progress(sink, 'sent', 1000).update({ messages: 5, bytes: 500 });
  assert.match(sink.text, /█{12}░{12} 50% {2}5 messages, 500 B, .*left/);
});

test('without a known end it shows what was done', () => {
  const sink = record(true);
  new Progress(sink, 'sent', 0).update({ messages: 1234, bytes: 2_500_000 });
  assert.match(sink.text, /1,234 messages, 2\.5 MB/);
});

test('where nobody looks there is only the sum', () => {
  const sink = record(false);
  const progress = new Progress(sink, 'sent', 1000);
  progress.update({ messages: 5, bytes: 500 });
  assert.equal(sink.text, '');
  progress.finish({ messages: 1, bytes: 10 });
  assert.match(sink.text, /^sent 1 message \(10 B\) in .*\n$/);
});
