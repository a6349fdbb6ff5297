import type { PartitionQueue } from '../../../shard/index.ts';
import type { Queue } from '../../../broker/index.ts';
import { isFifo, type SqsRequest } from '../context.ts';
import { getQueue } from '../queue-lookup.ts';
import type { Receipt } from '../receipt-handle.ts';
import { type Input, numberOf, textOf } from '../shape.ts';
import { invalidValue, missingParameter, SqsError } from '../sqs-error.ts';
import { batchFailure, checkBatch } from './batch.ts';

export async function deleteMessage(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  await deleteOne(request, queue, input, false)?.settled();
  return {};
}

export function deleteMessageBatch(request: SqsRequest, input: Input): Promise<Input> {
  return forEach(request, input, 'DeleteMessageBatchRequestEntry', deleteOne);
}

export async function changeMessageVisibility(request: SqsRequest, input: Input): Promise<Input> {
  const queue = getQueue(request, input);
  await changeOne(request, queue, input, false)?.settled();
  return {};
}

export function changeMessageVisibilityBatch(request: SqsRequest, input: Input): Promise<Input> {
  return forEach(request, input, 'ChangeMessageVisibilityBatchRequestEntry', changeOne);
}

/** Answers which part of the queue has changed; undefined: none. */
type Change = (
  request: SqsRequest,
  queue: Queue,
  input: Input,
  isEntry: boolean,
) => PartitionQueue | undefined;

async function forEach(
  request: SqsRequest,
  input: Input,
  entryName: string,
  change: Change,
): Promise<Input> {
  const queue = getQueue(request, input);
  const changed = new Set<PartitionQueue>();
  const Successful: Input[] = [];
  const Failed: Input[] = [];
  for (const entry of checkBatch(input, entryName)) {
    const Id = textOf(entry, 'Id') ?? '';
    try {
      const part = change(request, queue, entry, true);
      if (part !== undefined) changed.add(part);
      Successful.push({ Id });
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      Failed.push(batchFailure(Id, error));
    }
  }
  for (const part of changed) await part.settled();
  return Failed.length > 0 ? { Successful, Failed } : { Successful };
}

function readReceipt(request: SqsRequest, queue: Queue, input: Input): Receipt {
  const handle = textOf(input, 'ReceiptHandle');
  if (handle === undefined || handle === '') throw missingParameter('ReceiptHandle');
  const receipt = request.context.receipts.decode(queue, handle);
  if (receipt === undefined) {
    throw new SqsError(
      'ReceiptHandleIsInvalid',
      `The input receipt handle "${handle}" is not a valid receipt handle.`,
    );
  }
  return receipt;
}

/** What is wrong with the handle of a message; an entry of a batch is told so in other words than a request (recorded). */
function unusable(input: Input, reason: string, isEntry: boolean): SqsError {
  return isEntry
    ? new SqsError('ReceiptHandleIsInvalid', reason)
    : invalidValue(textOf(input, 'ReceiptHandle'), 'ReceiptHandle', `${reason}.`);
}

function deleteOne(
  request: SqsRequest,
  queue: Queue,
  input: Input,
  isEntry: boolean,
): PartitionQueue | undefined {
  const { partition, offset, deliveries } = readReceipt(request, queue, input);
  const part = queue.parts[partition];
  if (part === undefined) return undefined;
  const lease = part.findLease(offset, deliveries);
  if (lease !== undefined) {
    part.accept(lease);
    return part;
  }
  if (!isFifo(queue)) {
    // Visible again, or received again since: whoever deletes it has done its work. Deleted before is no error either.
    part.acceptLate(offset);
    return part;
  }
  if (!part.has(offset)) return part;
  throw unusable(input, 'The receipt handle has expired', isEntry);
}

function changeOne(
  request: SqsRequest,
  queue: Queue,
  input: Input,
  isEntry: boolean,
): PartitionQueue | undefined {
  const seconds = numberOf(input, 'VisibilityTimeout');
  if (seconds === undefined) throw missingParameter('VisibilityTimeout');
  const receipt = readReceipt(request, queue, input);
  if (seconds < 0 || seconds > 43_200) {
    throw invalidValue(
      seconds,
      'VisibilityTimeout',
      'VisibilityTimeout must be an integer between 0 and 43200.',
    );
  }
  const part = queue.parts[receipt.partition];
  // In standard queues every handle of a message is one of its later receives, too.
  const isOrdered = isFifo(queue);
  const lease = part?.findLease(receipt.offset, isOrdered ? receipt.deliveries : undefined);
  if (part !== undefined && lease !== undefined) {
    part.extend(lease, seconds * 1000);
    return part;
  }
  // The service answers so, and leaves the message visible (recorded; its documentation says MessageNotInflight).
  if (!isOrdered && part?.has(receipt.offset) === true) return undefined;
  throw unusable(
    input,
    'Message does not exist or is not available for visibility timeout change',
    isEntry,
  );
}
