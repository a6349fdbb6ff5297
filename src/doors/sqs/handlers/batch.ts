import { type Input, objectsOf, textOf } from '../shape.ts';
import { SqsError } from '../sqs-error.ts';

const entriesMax = 10;

/** The entries of a batch; their ids are good and differ. Throws SqsError. */
export function checkBatch(input: Input, entryName: string): Input[] {
  const entries = objectsOf(input, 'Entries');
  if (entries.length === 0) {
    throw new SqsError(
      'EmptyBatchRequest',
      `There should be at least one ${entryName} in the request.`,
    );
  }
  if (entries.length > entriesMax) {
    throw new SqsError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${entriesMax}. You have sent ${entries.length}.`,
    );
  }
  const ids = new Set<string>();
  for (const entry of entries) {
    const id = textOf(entry, 'Id') ?? '';
    if (!/^[A-Za-z0-9_-]{1,80}$/.test(id)) {
      throw new SqsError(
        'InvalidBatchEntryId',
        'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
      );
    }
    if (ids.has(id)) throw new SqsError('BatchEntryIdsNotDistinct', `Id ${id} repeated.`);
    ids.add(id);
  }
  return entries;
}

export function batchFailure(id: string, error: SqsError): Input {
  return {
    Id: id,
    SenderFault: error.isSenderFault,
    Code: error.queryCode,
    Message: error.message,
  };
}
