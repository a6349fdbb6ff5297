/** A number where it is a safe one, else a bigint. */
export function parseInteger(text: string): number | bigint | undefined {
  // Longer than any 64-bit integer, and below what would make the conversion slow.
  if (text.length > 21 || !/^-?\d+$/.test(text)) return undefined;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number + 0 : BigInt(text);
}

const floatingPattern = /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|-?Infinity)$/;

export function parseFloating(text: string): number | undefined {
  return text.length <= 400 && floatingPattern.test(text) ? Number(text) : undefined;
}

export function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The shortest text that gives the same 32-bit number. */
export function floatText(value: number): string {
  const single = Math.fround(value);
  if (Number.isFinite(single) && single !== 0) {
    for (let digits = 6; digits <= 9; digits++) {
      const shorter = Number(single.toPrecision(digits));
      if (Math.fround(shorter) === single) return doubleText(shorter);
    }
  }
  return doubleText(single);
}

/** An exact decimal, `unscaled / 10^scale`, with all its digits: `1.50` for 150 and 2. */
export function decimalText(unscaled: number | bigint, scale: number): string {
  const isNegative = unscaled < 0;
  const digits = String(isNegative ? -unscaled : unscaled).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const text = scale === 0 ? whole : `${whole}.${digits.slice(digits.length - scale)}`;
  return isNegative ? `-${text}` : text;
}

/** Undefined when the text is no plain decimal of at most 1,000 characters. */
export function parseDecimalText(text: string): { unscaled: bigint; scale: number } | undefined {
  const match = text.length <= 1000 ? /^(-?\d+)(?:\.(\d+))?$/.exec(text) : null;
  if (match === null) return undefined;
  const fraction = match[2] ?? '';
  return { unscaled: BigInt(`${match[1]}${fraction}`), scale: fraction.length };
}
