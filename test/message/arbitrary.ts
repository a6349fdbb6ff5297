import * as fc from '../support/fast-check.ts';
import type { TypedValue } from '../../src/message/index.ts';

/** Numbers where a program holds integers that fit one, else bigints. */
function integer(min: bigint, max: bigint): fc.Arbitrary<number | bigint> {
  return fc.bigInt({ min, max }).map((value) => {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  });
}

const text = fc.string({ unit: 'grapheme', maxLength: 12 });

/** Objects with a prototype, as the reader makes them. */
function of<Type extends string, Value>(
  type: Type,
  value: fc.Arbitrary<Value>,
): fc.Arbitrary<{ type: Type; value: Value }> {
  return value.map((content) => ({ type, value: content }));
}

const scalar: fc.Arbitrary<TypedValue> = fc.oneof(
  of('text', text),
  of(
    'bytes',
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
  ),
  of('int8', integer(-0x80n, 0x7fn)),
  of('uint16', integer(0n, 0xffffn)),
  of('int32', integer(-0x80000000n, 0x7fffffffn)),
  of('int64', integer(-0x8000000000000000n, 0x7fffffffffffffffn)),
  of('uint64', integer(0n, 0xffffffffffffffffn)),
  of('float', fc.float()),
  of('double', fc.double()),
  of('boolean', fc.boolean()),
  of('timestamp', integer(-(2n ** 62n), 2n ** 62n)),
  of('decimal', fc.constantFrom('1.50', '-0.001')),
  fc.constant<TypedValue>({ type: 'void', value: null }),
);

/** Any value that a header can have, nested ones included. */
export const typedValue: fc.Arbitrary<TypedValue> = fc.letrec<{ value: TypedValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalar,
    of('array', fc.array(tie('value'), { maxLength: 4 })),
    of(
      'table',
      fc
        .array(
          fc.tuple(
            fc.oneof(text, fc.constantFrom('$int8', '$$', '$bytes', '__proto__', '1')),
            tie('value'),
          ),
          { maxLength: 4 },
        )
        .map((entries) => new Map(entries)),
    ),
  ),
})).value;

export const headerName = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 10 }),
  fc.constantFrom(
    'a',
    'b c',
    'x=y',
    '100%',
    'pabal.',
    'pabal.header.',
    'pabal.unknown',
    'pabal.types',
  ),
);
