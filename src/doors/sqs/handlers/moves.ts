import type { Queue } from '../../../broker/index.ts';
import { isFifo, queueArn, type SqsRequest } from '../context.ts';
import type { MoveTask } from '../move-tasks.ts';
import { deadLetterNameOf } from '../queue-attributes.ts';
import { nameOfArn } from '../queue-lookup.ts';
import { type Input, numberOf, textOf } from '../shape.ts';
import { invalidParameter, invalidValue, missingParameter, SqsError } from '../sqs-error.ts';

function getSource(request: SqsRequest, input: Input): Queue {
  const arn = textOf(input, 'SourceArn');
  if (arn === undefined) throw missingParameter('SourceArn');
  return getByArn(request, arn, 'SourceArn');
}

function getByArn({ context }: SqsRequest, arn: string, parameter: string): Queue {
  const name = nameOfArn(arn);
  if (name === undefined)
    throw invalidParameter(
      `You must use this format to specify the ${parameter}: arn:aws:service:region:account-id:resource-id`,
    );
  const queue = context.broker.queues.find('', name);
  if (queue === undefined) {
    throw new SqsError(
      'ResourceNotFoundException',
      `The resource that you specified for the ${parameter} parameter doesn't exist.`,
    );
  }
  return queue;
}

export async function startMessageMoveTask(request: SqsRequest, input: Input): Promise<Input> {
  const { moves, broker } = request.context;
  const source = getSource(request, input);
  const isDeadLetterQueue = broker.queues
    .list('')
    .some((queue) => deadLetterNameOf(queue) === source.name);
  if (!isDeadLetterQueue) {
    throw invalidParameter('Source queue must be configured as a Dead Letter Queue.');
  }
  const destinationArn = textOf(input, 'DestinationArn');
  const destination =
    destinationArn === undefined ? undefined : getByArn(request, destinationArn, 'DestinationArn');
  if (destination !== undefined && isFifo(destination) !== isFifo(source)) {
    throw invalidParameter('Source and destination queues must be of the same type.');
  }
  const perSecond = numberOf(input, 'MaxNumberOfMessagesPerSecond');
  if (perSecond !== undefined && (perSecond < 1 || perSecond > 500)) {
    throw invalidValue(perSecond, 'MaxNumberOfMessagesPerSecond', 'Must be between 1 and 500.');
  }
  if (moves.list(source).some(({ status }) => status === 'RUNNING' || status === 'CANCELLING')) {
    throw invalidParameter(
      'There is already a task running. Only one active task is allowed for a source queue arn at a given time.',
    );
  }
  if (moves.isFull) throw new SqsError('OverLimit', 'Too many message move tasks are running.');
  const task = await moves.start(source, destination?.name, perSecond);
  return { TaskHandle: handleOf(request, task) };
}

export async function cancelMessageMoveTask(request: SqsRequest, input: Input): Promise<Input> {
  const handle = textOf(input, 'TaskHandle');
  if (handle === undefined) throw missingParameter('TaskHandle');
  const text = Buffer.from(handle, 'base64').toString('utf8');
  const id = /"taskId":"([0-9a-f-]{36})"/.exec(text)?.[1];
  if (id === undefined) throw invalidParameter('Value for parameter TaskHandle is invalid.');
  const arn = /"sourceArn":"([^"]*)"/.exec(text)?.[1] ?? '';
  getByArn(request, arn, 'SourceArn');
  const task = request.context.moves.find(id);
  if (task === undefined) {
    throw new SqsError('ResourceNotFoundException', 'Task does not exist.');
  }
  if (task.status !== 'RUNNING') {
    throw new SqsError('UnsupportedOperation', 'Only active tasks can be cancelled.');
  }
  await request.context.moves.cancel(task);
  return { ApproximateNumberOfMessagesMoved: task.moved };
}

export function listMessageMoveTasks(request: SqsRequest, input: Input): Input {
  const source = getSource(request, input);
  const max = numberOf(input, 'MaxResults') ?? 1;
  if (max < 1 || max > 10) throw invalidValue(max, 'MaxResults', 'Must be between 1 and 10.');
  const tasks = request.context.moves.list(source).slice(0, max);
  return { Results: tasks.map((task) => describe(request, task)) };
}

function handleOf(request: SqsRequest, task: MoveTask): string {
  const text = JSON.stringify({ taskId: task.id, sourceArn: queueArn(request, task.source.name) });
  return Buffer.from(text).toString('base64');
}

function describe(request: SqsRequest, task: MoveTask): Input {
  return {
    ...(task.status === 'RUNNING' ? { TaskHandle: handleOf(request, task) } : {}),
    Status: task.status,
    SourceArn: queueArn(request, task.source.name),
    ...(task.destination === undefined
      ? {}
      : { DestinationArn: queueArn(request, task.destination) }),
    ...(task.perSecond === undefined ? {} : { MaxNumberOfMessagesPerSecond: task.perSecond }),
    ApproximateNumberOfMessagesMoved: task.moved,
    ApproximateNumberOfMessagesToMove: task.total,
    ...(task.failure === undefined ? {} : { FailureReason: task.failure }),
    StartedTimestamp: task.startedMs,
  };
}
