// AlterUserScramCredentials 0 (KIP-554): the password itself is never seen. A user who is not there is made, without any
// permission. Unlike Kafka, a password that was set elsewhere ends with the first key that is set here, for it may be another.
import { createHash, createHmac } from 'node:crypto';
import { limits } from '../../../base/index.ts';
import type { ScramMechanism } from '../../../broker/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import { findScramMechanism } from '../scram-mechanisms.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Request = RequestOf<'AlterUserScramCredentials'>;
type Upsertion = Request['upsertions'][number];
type Deletion = Request['deletions'][number];

const digests = {
  'sha-256': 'sha256',
  'sha-512': 'sha512',
} as const satisfies Record<ScramMechanism, string>;

/** All of a user's changes are made, or none of them is begun. */
export async function alterUserScramCredentials(
  context: HandlerContext,
  request: Request,
): Promise<ResponseInput<'AlterUserScramCredentials'>> {
  const users = new Map<string, { upsertions: Upsertion[]; deletions: Deletion[] }>();
  const changesOf = (name: string) => {
    const known = users.get(name) ?? { upsertions: [], deletions: [] };
    users.set(name, known);
    return known;
  };
  for (const deletion of request.deletions) changesOf(deletion.name).deletions.push(deletion);
  for (const upsertion of request.upsertions) changesOf(upsertion.name).upsertions.push(upsertion);
  const results = [];
  for (const [user, { upsertions, deletions }] of users) {
    const refusal =
      check(context, user, upsertions, deletions) ??
      (await change(context, user, upsertions, deletions));
    results.push({
      user,
      errorCode: refusal?.errorCode ?? errorCodes.NONE,
      errorMessage: refusal?.message ?? null,
    });
  }
  return { results };
}

function check(
  { broker }: HandlerContext,
  user: string,
  upsertions: readonly Upsertion[],
  deletions: readonly Deletion[],
): Refusal | undefined {
  if (user === '') {
    return new Refusal(errorCodes.UNACCEPTABLE_CREDENTIAL, 'Username must not be empty');
  }
  const seen = new Set<number>();
  for (const { mechanism } of [...upsertions, ...deletions]) {
    if (findScramMechanism(mechanism) === undefined) {
      return new Refusal(errorCodes.UNSUPPORTED_SASL_MECHANISM, 'Unknown SCRAM mechanism');
    }
    if (seen.has(mechanism)) {
      return new Refusal(
        errorCodes.DUPLICATE_RESOURCE,
        'A user credential cannot be altered twice in the same request',
      );
    }
    seen.add(mechanism);
  }
  for (const upsertion of upsertions) {
    const refusal = checkUpsertion(upsertion);
    if (refusal !== undefined) return refusal;
  }
  for (const { mechanism } of deletions) {
    const name = findScramMechanism(mechanism);
    if (name === undefined || broker.access.findScramKeys(user, name) === undefined) {
      return new Refusal(
        errorCodes.RESOURCE_NOT_FOUND,
        'Attempt to delete a user credential that does not exist',
      );
    }
  }
  return undefined;
}

function checkUpsertion(upsertion: Upsertion): Refusal | undefined {
  const { iterations, salt, saltedPassword } = upsertion;
  const unacceptable = errorCodes.UNACCEPTABLE_CREDENTIAL;
  if (iterations < limits.scramIterationsMin)
    return new Refusal(unacceptable, 'Too few iterations');
  if (iterations > limits.scramIterationsMax) {
    return new Refusal(unacceptable, 'Too many iterations');
  }
  if (salt.length === 0) return new Refusal(unacceptable, 'The salt must not be empty');
  if (saltedPassword.length === 0) {
    return new Refusal(unacceptable, 'The salted password must not be empty');
  }
  return undefined;
}

async function change(
  { broker }: HandlerContext,
  user: string,
  upsertions: readonly Upsertion[],
  deletions: readonly Deletion[],
): Promise<Refusal | undefined> {
  try {
    for (const { mechanism } of deletions) {
      const name = findScramMechanism(mechanism);
      if (name !== undefined) await broker.access.deleteScramKeys(user, name);
    }
    for (const { mechanism, iterations, salt, saltedPassword } of upsertions) {
      const name = findScramMechanism(mechanism);
      if (name === undefined) continue;
      await broker.access.putScramKeys(user, name, {
        salt: Buffer.from(salt).toString('base64'),
        iterations,
        ...deriveKeys(name, saltedPassword),
      });
    }
    return undefined;
  } catch (error) {
    return Refusal.from(error);
  }
}

/** RFC 5802 §3. */
function deriveKeys(
  mechanism: ScramMechanism,
  saltedPassword: Uint8Array,
): { storedKey: string; serverKey: string } {
  const name = digests[mechanism];
  const clientKey = createHmac(name, saltedPassword).update('Client Key').digest();
  return {
    storedKey: createHash(name).update(clientKey).digest('base64'),
    serverKey: createHmac(name, saltedPassword).update('Server Key').digest('base64'),
  };
}
