// AlterClientQuotas 0-1 (KIP-546). What is wrong with one entity does not keep the others from being changed.
import type { QuotaChange, QuotaName } from '../../../broker/index.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { inOrder, toBound, toEntity, toSubject } from '../quota-codes.ts';
import { Refusal } from '../refusal.ts';
import { findRepeated } from '../repetition.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Asked = RequestOf<'AlterClientQuotas'>['entries'][number];

export async function alterClientQuotas(
  { broker }: HandlerContext,
  { entries, validateOnly }: RequestOf<'AlterClientQuotas'>,
): Promise<ResponseInput<'AlterClientQuotas'>> {
  const plans = entries.map(plan);
  const repeated = findRepeated(
    plans.map((change) => (change instanceof Refusal ? change : nameOf(change))),
  );
  const outcomes = plans.map((change) =>
    !(change instanceof Refusal) && repeated.has(nameOf(change))
      ? new Refusal(errorCodes.INVALID_REQUEST, 'Duplicate client quota entity')
      : change,
  );
  const changes = outcomes.filter((change): change is QuotaChange => !(change instanceof Refusal));
  let failure: Refusal | undefined;
  if (!validateOnly && changes.length > 0) {
    try {
      await broker.quotas.change(changes);
    } catch (error) {
      failure = Refusal.from(error);
    }
  }
  return {
    entries: entries.map(({ entity }, index) => {
      const outcome = outcomes[index];
      const refusal = outcome instanceof Refusal ? outcome : failure;
      return {
        errorCode: refusal?.errorCode ?? errorCodes.NONE,
        errorMessage: refusal?.message ?? null,
        entity: inOrder(entity),
      };
    }),
  };
}

function plan({ entity, ops }: Asked): QuotaChange | Refusal {
  const subject = toSubject(entity);
  if (subject instanceof Refusal) return subject;
  const bounds: { [Name in QuotaName]?: number | undefined } = {};
  for (const op of ops) {
    const bound = toBound(subject, op);
    if (bound instanceof Refusal) return bound;
    if (bound.name in bounds) {
      return new Refusal(errorCodes.INVALID_REQUEST, `Duplicate configuration key ${op.key}`);
    }
    bounds[bound.name] = bound.value;
  }
  return { subject, bounds };
}

/** The same for whoever is named in another order. */
function nameOf({ subject }: QuotaChange): string {
  return JSON.stringify(toEntity(subject));
}
