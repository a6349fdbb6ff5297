import type { SqsRequest } from './context.ts';
import {
  cancelMessageMoveTask,
  listMessageMoveTasks,
  startMessageMoveTask,
} from './handlers/moves.ts';
import {
  createQueue,
  deleteQueue,
  getQueueAttributes,
  getQueueUrl,
  listDeadLetterSourceQueues,
  listQueues,
  purgeQueue,
  setQueueAttributes,
} from './handlers/queues.ts';
import { receiveMessage } from './handlers/receive.ts';
import { sendMessage, sendMessageBatch } from './handlers/send.ts';
import {
  changeMessageVisibility,
  changeMessageVisibilityBatch,
  deleteMessage,
  deleteMessageBatch,
} from './handlers/settle.ts';
import {
  addPermission,
  listQueueTags,
  removePermission,
  tagQueue,
  untagQueue,
} from './handlers/tags.ts';
import {
  boolean,
  type Input,
  integer,
  list,
  map,
  type Shape,
  string,
  type Structure,
  structure,
} from './shape.ts';

/** One action: both protocols read its input and write its output by these shapes. */
export interface Action {
  readonly input: Structure;
  readonly output: Structure;
  /** Its output has no members: as JSON its answer has no body at all. */
  readonly isSilent: boolean;
  readonly handle: (request: SqsRequest, input: Input) => Input | Promise<Input>;
}

type Members = Readonly<Record<string, Shape>>;

function action(input: Members, output: Members, handle: Action['handle']): Action {
  return {
    input: structure(input),
    output: structure(output),
    isSilent: Object.keys(output).length === 0,
    handle,
  };
}

const attributes = map('Attribute', 'Name');
const messageValue = structure({ StringValue: string, BinaryValue: string, DataType: string });
const messageAttributes = map('MessageAttribute', 'Name', messageValue);
const systemAttributes = map('MessageSystemAttribute', 'Name', messageValue);
const tags = map('Tag', 'Key');
const onQueue = { QueueUrl: string };

const message = {
  MessageBody: string,
  DelaySeconds: integer,
  MessageAttributes: messageAttributes,
  MessageSystemAttributes: systemAttributes,
  MessageDeduplicationId: string,
  MessageGroupId: string,
};

const sent = {
  MD5OfMessageBody: string,
  MD5OfMessageAttributes: string,
  MD5OfMessageSystemAttributes: string,
  MessageId: string,
  SequenceNumber: string,
};

const received = structure({
  MessageId: string,
  ReceiptHandle: string,
  MD5OfBody: string,
  Body: string,
  Attributes: attributes,
  MD5OfMessageAttributes: string,
  MessageAttributes: messageAttributes,
});

const receiving = {
  ...onQueue,
  AttributeNames: list('AttributeName'),
  MessageSystemAttributeNames: list('MessageSystemAttributeName'),
  MessageAttributeNames: list('MessageAttributeName'),
  MaxNumberOfMessages: integer,
  VisibilityTimeout: integer,
  WaitTimeSeconds: integer,
  ReceiveRequestAttemptId: string,
};

const id = { Id: string };
const failed = list(
  'BatchResultErrorEntry',
  structure({ ...id, SenderFault: boolean, Code: string, Message: string }),
);
const pages = { NextToken: string, MaxResults: integer };

/** A batch: its entries by the name that they have in the Query protocol, and what is said of each. */
function batch(name: string, entry: Members, result: Members, handle: Action['handle']): Action {
  const Successful = list(`${name}ResultEntry`, structure({ ...id, ...result }));
  return action(
    { ...onQueue, Entries: list(`${name}RequestEntry`, structure({ ...id, ...entry })) },
    { Successful, Failed: failed },
    handle,
  );
}

const moveTask = structure({
  TaskHandle: string,
  Status: string,
  SourceArn: string,
  DestinationArn: string,
  MaxNumberOfMessagesPerSecond: integer,
  ApproximateNumberOfMessagesMoved: integer,
  ApproximateNumberOfMessagesToMove: integer,
  FailureReason: string,
  StartedTimestamp: integer,
});

export const actions: ReadonlyMap<string, Action> = new Map(
  Object.entries({
    CreateQueue: action(
      { QueueName: string, Attributes: attributes, tags },
      { QueueUrl: string },
      createQueue,
    ),
    DeleteQueue: action(onQueue, {}, deleteQueue),
    ListQueues: action(
      { QueueNamePrefix: string, ...pages },
      { QueueUrls: list('QueueUrl'), NextToken: string },
      listQueues,
    ),
    GetQueueUrl: action(
      { QueueName: string, QueueOwnerAWSAccountId: string },
      { QueueUrl: string },
      getQueueUrl,
    ),
    GetQueueAttributes: action(
      { ...onQueue, AttributeNames: list('AttributeName') },
      { Attributes: attributes },
      getQueueAttributes,
    ),
    SetQueueAttributes: action({ ...onQueue, Attributes: attributes }, {}, setQueueAttributes),
    PurgeQueue: action(onQueue, {}, purgeQueue),
    SendMessage: action({ ...onQueue, ...message }, sent, sendMessage),
    SendMessageBatch: batch('SendMessageBatch', message, sent, sendMessageBatch),
    ReceiveMessage: action(receiving, { Messages: list('Message', received) }, receiveMessage),
    DeleteMessage: action({ ...onQueue, ReceiptHandle: string }, {}, deleteMessage),
    DeleteMessageBatch: batch(
      'DeleteMessageBatch',
      { ReceiptHandle: string },
      {},
      deleteMessageBatch,
    ),
    ChangeMessageVisibility: action(
      { ...onQueue, ReceiptHandle: string, VisibilityTimeout: integer },
      {},
      changeMessageVisibility,
    ),
    ChangeMessageVisibilityBatch: batch(
      'ChangeMessageVisibilityBatch',
      { ReceiptHandle: string, VisibilityTimeout: integer },
      {},
      changeMessageVisibilityBatch,
    ),
    TagQueue: action({ ...onQueue, Tags: tags }, {}, tagQueue),
    UntagQueue: action({ ...onQueue, TagKeys: list('TagKey') }, {}, untagQueue),
    ListQueueTags: action(onQueue, { Tags: tags }, listQueueTags),
    AddPermission: action(
      {
        ...onQueue,
        Label: string,
        AWSAccountIds: list('AWSAccountId'),
        Actions: list('ActionName'),
      },
      {},
      addPermission,
    ),
    RemovePermission: action({ ...onQueue, Label: string }, {}, removePermission),
    ListDeadLetterSourceQueues: action(
      { ...onQueue, ...pages },
      { queueUrls: list('QueueUrl'), NextToken: string },
      listDeadLetterSourceQueues,
    ),
    StartMessageMoveTask: action(
      { SourceArn: string, DestinationArn: string, MaxNumberOfMessagesPerSecond: integer },
      { TaskHandle: string },
      startMessageMoveTask,
    ),
    CancelMessageMoveTask: action(
      { TaskHandle: string },
      { ApproximateNumberOfMessagesMoved: integer },
      cancelMessageMoveTask,
    ),
    ListMessageMoveTasks: action(
      { SourceArn: string, MaxResults: integer },
      { Results: list('ListMessageMoveTasksResultEntry', moveTask) },
      listMessageMoveTasks,
    ),
  }),
);
