import type { ScramMechanism } from '../../broker/index.ts';

/** As DescribeUserScramCredentials numbers them (KIP-554). */
export const scramMechanismCodes = {
  'sha-256': 1,
  'sha-512': 2,
} as const satisfies Record<ScramMechanism, number>;

export const scramMechanismNames: readonly ScramMechanism[] = ['sha-256', 'sha-512'];

export function findScramMechanism(code: number): ScramMechanism | undefined {
  return scramMechanismNames.find((name) => scramMechanismCodes[name] === code);
}
