import { createHash } from 'node:crypto';
import { BrokerError } from '../../../base/index.ts';
import type { Exchange, PublishGroup, Queue, Topic } from '../../../broker/index.ts';
import { property } from '../../../message/index.ts';
import type { MessageAttributes } from '../attribute-digest.ts';
import { isFifo, type SqsContext, type SqsRequest } from '../context.ts';
import { scopeMark } from '../handlers/send.ts';
import { Memory } from '../memory.ts';
import {
  checkMessageAttributes,
  isAllowedText,
  writeMessageAttributes,
} from '../message-attributes.ts';
import { isDedupByGroup, numberAttribute } from '../queue-attributes.ts';
import { type Input, isObject, mapOf, objectsOf, textOf } from '../shape.ts';
import { renderEnvelope } from './envelope.ts';
import { compileSubscriptionFilter, type Filter } from './filter.ts';
import { isFifoName, topicArn, topicNameOf } from './names.ts';
import { adoptOrphans, findOrphans } from './orphans.ts';
import { checkAttributesOfMessage } from './message-check.ts';
import type { Signature, Signer } from './signer.ts';
import { invalidParameter, SnsError } from './sns-error.ts';
import { deadLetterNameOfSubscription, findSubscriptions } from './subscription.ts';
import type { Subscription } from './subscription-record.ts';
import { generationOf, getTopicByName, isContentBased, signatureVersionOf } from './topic.ts';

const messageBytesMax = 262_144;
const entriesMax = 10;
const entryIdMax = 80;
const dedupWindowMs = 300_000;

/** A message that was checked. */
interface Draft {
  readonly message: string;
  readonly subject: string | undefined;
  readonly attributes: MessageAttributes | undefined;
  readonly groupId: string | undefined;
  readonly dedupId: string | undefined;
  readonly bytes: number;
}

interface Receipt {
  readonly messageId: string;
  readonly sequenceNumber: string | undefined;
}

interface Target {
  readonly id: string;
  readonly queue: Queue;
  readonly isRaw: boolean;
  readonly filter: Filter | undefined;
}

/** Where the messages of a topic go. */
interface Plan {
  readonly subscriptions: readonly Target[];
  /** What other doors bound to the exchange: it gets messages as they were published. */
  readonly others: readonly Topic[];
}

/** Publish and PublishBatch. */
export class Publishing {
  /** By topic; all are made anew after any change of exchanges and bindings, so there are no more of them than topics. */
  readonly #plans = new Map<string, Plan>();
  #plansVersion = -1;
  /** What was answered, by topic and deduplication id. FIFO queues have windows of their own, which outlive a restart. */
  readonly #published: Memory<Receipt>;
  /** What is being stored, by the same: as many as requests wait for. */
  readonly #storing = new Map<string, { receipt: Receipt; done: Promise<void> }>();
  readonly #signer: Signer;
  #lastSequence = 0n;

  constructor({ clock }: SqsContext, signer: Signer) {
    this.#signer = signer;
    this.#published = new Memory(clock, dedupWindowMs);
  }

  async publish(request: SqsRequest, input: Input): Promise<Input> {
    if (textOf(input, 'PhoneNumber') !== undefined) {
      throw invalidParameter('PhoneNumber Reason: text messages are not offered here');
    }
    const isTarget = textOf(input, 'TopicArn') === undefined;
    const topic = getTopicByName(request, topicNameOf(input, isTarget ? 'TargetArn' : 'TopicArn'));
    const [receipt] = await this.#store(request, topic, [
      checkMessage(topic, input, 'messageAttributes'),
    ]);
    if (receipt === undefined) throw new SnsError('InternalError', 'The message was not stored.');
    return answerOf(receipt);
  }

  async publishBatch(request: SqsRequest, input: Input): Promise<Input> {
    const topic = getTopicByName(request, topicNameOf(input));
    const entries = checkBatch(objectsOf(input, 'PublishBatchRequestEntries'));
    const drafts: Draft[] = [];
    let bytes = 0;
    // One entry that cannot be taken refuses all of them.
    for (const [index, entry] of entries.entries()) {
      const path = `publishBatchRequestEntries.${index + 1}.member.messageAttributes`;
      const draft = checkMessage(topic, entry, path);
      bytes += draft.bytes;
      drafts.push(draft);
    }
    if (bytes > messageBytesMax) {
      throw new SnsError(
        'BatchRequestTooLong',
        'The length of all the messages put together is more than the limit.',
      );
    }
    const receipts = await this.#store(request, topic, drafts);
    const Successful = receipts.map(({ messageId, sequenceNumber }, index) => ({
      SequenceNumber: sequenceNumber,
      MessageId: messageId,
      Id: textOf(entries[index]!, 'Id') ?? '',
    }));
    return { Failed: [], Successful };
  }

  /** Resolves when every message is durable in every queue that gets it. */
  async #store(
    request: SqsRequest,
    topic: Exchange,
    drafts: readonly Draft[],
  ): Promise<readonly Receipt[]> {
    const { broker, random, clock } = request.context;
    const nowMs = clock.nowMs();
    const ids = drafts.map(() => random.nextUuid());
    await adoptOrphans(request, topic);
    const signatures = await this.#sign(request, topic, { drafts, ids, nowMs });
    const plan = this.#plan(request, topic);
    const receipts: Receipt[] = [];
    /** Within one batch an id may repeat, too. */
    const made = new Map<string, Receipt>();
    /** Who repeats a message waits for the first one. */
    const earlier: Array<Promise<void>> = [];
    const done = new Promise<void>((resolve, reject) => {
      const group = broker.publisher.open((_group, error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
      let failure: unknown;
      for (const [index, draft] of drafts.entries()) {
        const key = dedupKey(topic, draft);
        const known = key === undefined ? undefined : (made.get(key) ?? this.#published.get(key));
        if (known !== undefined) {
          receipts.push(known);
          continue;
        }
        const storing = key === undefined ? undefined : this.#storing.get(key);
        if (storing !== undefined) {
          receipts.push(storing.receipt);
          earlier.push(storing.done);
          continue;
        }
        const sequenceNumber = isFifoName(topic.name) ? this.#nextSequence(nowMs) : undefined;
        const receipt = { messageId: ids[index]!, sequenceNumber };
        receipts.push(receipt);
        if (key !== undefined) made.set(key, receipt);
        try {
          const signature = signatures[index];
          deliver(request, topic, plan, { draft, receipt, signature, nowMs, group });
        } catch (error) {
          failure = error;
          break;
        }
      }
      broker.publisher.close(group);
      if (failure !== undefined) reject(failure);
    });
    for (const [key, receipt] of made) this.#storing.set(key, { receipt, done });
    const [own, ...others] = await Promise.allSettled([done, ...earlier]);
    for (const [key, receipt] of made) {
      this.#storing.delete(key);
      if (own.status === 'fulfilled') this.#published.set(key, receipt);
    }
    for (const result of [own, ...others]) if (result.status === 'rejected') throw result.reason;
    return receipts;
  }

  /** One for each draft, where envelopes will need them: those of FIFO topics have none. */
  async #sign(
    request: SqsRequest,
    topic: Exchange,
    { drafts, ids, nowMs }: { drafts: readonly Draft[]; ids: readonly string[]; nowMs: number },
  ): Promise<readonly Signature[]> {
    if (isFifoName(topic.name)) return [];
    const { subscriptions } = this.#plan(request, topic);
    if (subscriptions.every(({ isRaw }) => isRaw)) return [];
    const version = signatureVersionOf(topic);
    const facts = {
      timestamp: new Date(nowMs).toISOString(),
      topicArn: topicArn(request, topic.name),
    };
    return await Promise.all(
      drafts.map(({ message, subject }, index) =>
        this.#signer.sign({ ...facts, message, subject, messageId: ids[index]! }, version),
      ),
    );
  }

  #plan(request: SqsRequest, topic: Exchange): Plan {
    const plan = this.#planOfBindings(request, topic);
    const orphans = deadLetterTargets(request, topic);
    if (orphans.length === 0) return plan;
    return { ...plan, subscriptions: [...plan.subscriptions, ...orphans] };
  }

  #planOfBindings(request: SqsRequest, topic: Exchange): Plan {
    const { broker } = request.context;
    const { exchanges } = broker;
    if (this.#plansVersion !== exchanges.version) {
      this.#plansVersion = exchanges.version;
      this.#plans.clear();
    }
    let plan = this.#plans.get(topic.name);
    if (plan !== undefined && !plan.subscriptions.some(({ queue }) => queue.isDropped)) return plan;
    const subscriptions: Target[] = [];
    const others = new Set(
      exchanges.route(topic, { keys: [''], headers: () => ({}), property: () => undefined }),
    );
    for (const subscription of findSubscriptions(broker, topic)) {
      const queue = broker.queues.find('', subscription.queueName);
      if (queue === undefined) continue;
      others.delete(queue.topic);
      subscriptions.push(targetOf(subscription, queue));
    }
    plan = { subscriptions, others: [...others] };
    this.#plans.set(topic.name, plan);
    return plan;
  }

  /** 20 digits that grow, through restarts as well while the clock does not go back. */
  #nextSequence(nowMs: number): string {
    const wanted = BigInt(nowMs) * 1_000_000n;
    this.#lastSequence = wanted > this.#lastSequence ? wanted : this.#lastSequence + 1n;
    return String(10_000_000_000_000_000_000n + this.#lastSequence);
  }
}

function targetOf({ id, attributes }: Subscription, queue: Queue): Target {
  const isRaw = attributes['RawMessageDelivery']?.toLowerCase() === 'true';
  return { id, queue, isRaw, filter: compileSubscriptionFilter(attributes) };
}

/** Where messages for queues that are not there go instead: as those queues would have got them. */
function deadLetterTargets({ context }: SqsRequest, topic: Exchange): Target[] {
  const { queues } = context.broker;
  const targets: Target[] = [];
  for (const orphan of findOrphans(topic)) {
    if (queues.find('', orphan.queueName) !== undefined) continue;
    const name = deadLetterNameOfSubscription(orphan.attributes);
    const queue = name === undefined ? undefined : queues.find('', name);
    if (queue !== undefined) targets.push(targetOf(orphan, queue));
  }
  return targets;
}

function answerOf({ messageId, sequenceNumber }: Receipt): Input {
  return { MessageId: messageId, SequenceNumber: sequenceNumber };
}

function dedupKey(topic: Exchange, { dedupId, groupId }: Draft): string | undefined {
  if (dedupId === undefined) return undefined;
  const isByGroup = topic.attributes['sns.attribute.FifoThroughputScope'] === 'MessageGroup';
  return `${generationOf(topic)}/${isByGroup ? `${groupId}${scopeMark}` : ''}${dedupId}`;
}

function deliver(
  request: SqsRequest,
  topic: Exchange,
  { subscriptions, others }: Plan,
  sent: {
    draft: Draft;
    receipt: Receipt;
    signature: Signature | undefined;
    nowMs: number;
    group: PublishGroup;
  },
): void {
  const { draft, signature } = sent;
  for (const { id, queue, isRaw, filter } of subscriptions) {
    if (filter !== undefined && !filter(draft)) continue;
    if (isRaw) {
      add(request, queue.topic, queue, sent, draft.message, draft.attributes);
      continue;
    }
    const arn = topicArn(request, topic.name);
    const subscription = `${arn}:${id}`;
    const body = renderEnvelope({
      ...sent.receipt,
      topicArn: arn,
      subject: draft.subject,
      message: draft.message,
      timestampMs: sent.nowMs,
      attributes: draft.attributes,
      unsubscribeUrl: `${request.baseUrl}/?Action=Unsubscribe&SubscriptionArn=${subscription}`,
      signatureVersion: signatureVersionOf(topic),
      signature: signature?.text,
      certificateUrl: signature && `${request.baseUrl}/${signature.certificateName}`,
    });
    add(request, queue.topic, queue, sent, body, undefined);
  }
  for (const target of others) {
    add(request, target, undefined, sent, draft.message, draft.attributes);
  }
}

function add(
  request: SqsRequest,
  target: Topic,
  queue: Queue | undefined,
  { draft, nowMs, group }: { draft: Draft; nowMs: number; group: PublishGroup },
  text: string,
  attributes: MessageAttributes | undefined,
): void {
  const { broker, writer, outgoing } = request.context;
  const { groupId, dedupId } = draft;
  writer.reset();
  // The group of a FIFO topic, whose messages all have an id, is not told to standard queues.
  if (groupId !== undefined && (dedupId === undefined || queue === undefined || isFifo(queue))) {
    writer.text(property.group, groupId);
  }
  if (dedupId !== undefined && queue !== undefined && isFifo(queue)) {
    const isByGroup = isDedupByGroup(queue, nowMs);
    writer.text(property.dedupId, isByGroup ? `${groupId ?? ''}${scopeMark}${dedupId}` : dedupId);
  }
  const delayMs = queue === undefined ? 0 : numberAttribute(queue, 'DelaySeconds') * 1000;
  if (delayMs > 0) writer.integer(property.deliverAt, nowMs + delayMs);
  if (request.traceHeader !== undefined) writer.text(property.traceHeader, request.traceHeader);
  if (attributes !== undefined) writeMessageAttributes(writer, attributes);
  const body = Buffer.from(text, 'utf8');
  outgoing.body = [body];
  outgoing.bodyBytes = body.length;
  outgoing.headers = writer.finish();
  outgoing.headerCount = writer.count;
  outgoing.timestampMs = nowMs;
  outgoing.key = writer.key ?? null;
  outgoing.priority = writer.priority;
  outgoing.expiresAtMs = writer.expiresAtMs;
  outgoing.deliverAtMs = writer.deliverAtMs;
  outgoing.groupId = writer.groupId;
  outgoing.dedupId = writer.dedupId;
  if (broker.publisher.add(group, target, outgoing) === 'rejected') {
    throw new BrokerError('queue-full', target.name);
  }
}

function checkMessage(topic: Exchange, input: Input, attributesPath: string): Draft {
  const message = chooseMessage(input);
  if (message === '') throw invalidParameter('Empty message');
  if (!isAllowedText(message)) throw invalidParameter('Message Reason: invalid characters');
  const subject = textOf(input, 'Subject');
  if (subject !== undefined && !/^[^\s\p{Cc}][^\p{Cc}]{0,99}$/u.test(subject))
    throw invalidParameter('Subject');
  const given = mapOf(input, 'MessageAttributes');
  if (given !== undefined) checkAttributesOfMessage(given, attributesPath);
  const checked = given === undefined ? undefined : checkMessageAttributes(given);
  const bytes = Buffer.byteLength(message) + (checked?.bytes ?? 0);
  if (bytes > messageBytesMax) throw invalidParameter('Message too long');
  return {
    message,
    subject,
    attributes: checked?.attributes,
    bytes,
    ...checkGroup(topic, input, message),
  };
}

/** With the structure `json` every protocol may have a text of its own. */
function chooseMessage(input: Input): string {
  const message = textOf(input, 'Message') ?? '';
  const structure = textOf(input, 'MessageStructure');
  if (structure === undefined || structure === '') return message;
  if (structure !== 'json') throw invalidParameter('MessageStructure');
  let texts: unknown;
  try {
    texts = JSON.parse(message);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw invalidParameter('Message Structure - JSON message body failed to parse', error);
  }
  if (!isObject(texts))
    throw invalidParameter('Message Structure - JSON message body failed to parse');
  const { default: general, sqs: own } = texts;
  if (typeof general !== 'string')
    throw invalidParameter('Message Structure - No default entry in JSON message body');
  return typeof own === 'string' ? own : general;
}

function checkGroup(
  topic: Exchange,
  input: Input,
  message: string,
): { groupId: string | undefined; dedupId: string | undefined } {
  const groupId = textOf(input, 'MessageGroupId');
  const dedupId = textOf(input, 'MessageDeduplicationId');
  for (const [name, value] of [
    ['MessageGroupId', groupId],
    ['MessageDeduplicationId', dedupId],
  ] as const) {
    if (value !== undefined && !/^[\x21-\x7e]{1,128}$/.test(value)) {
      throw invalidParameter(
        `${name} Reason: ${name} can only include alphanumeric and punctuation characters. 1 to 128 in length`,
      );
    }
  }
  if (!isFifoName(topic.name)) {
    if (dedupId !== undefined) {
      throw invalidParameter(
        'MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type',
      );
    }
    return { groupId, dedupId };
  }
  if (groupId === undefined) {
    throw invalidParameter('The MessageGroupId parameter is required for FIFO topics');
  }
  if (dedupId === undefined && !isContentBased(topic)) {
    throw invalidParameter(
      'The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
    );
  }
  return {
    groupId,
    dedupId: dedupId ?? createHash('sha256').update(message, 'utf8').digest('hex'),
  };
}

function checkBatch(entries: readonly Input[]): readonly Input[] {
  if (entries.length === 0) {
    throw new SnsError('EmptyBatchRequest', "The batch request doesn't contain any entries.");
  }
  if (entries.length > entriesMax) {
    throw new SnsError(
      'TooManyEntriesInBatchRequest',
      'The batch request contains more entries than permissible.',
    );
  }
  const ids = new Set<string>();
  for (const entry of entries) {
    const id = textOf(entry, 'Id') ?? '';
    if (id.length > entryIdMax) {
      throw new SnsError(
        'InvalidBatchEntryId',
        `The Id of a batch entry in the batch request is too long: ${id}`,
      );
    }
    if (!/^[A-Za-z0-9_-]+$/.test(id)) {
      throw new SnsError(
        'InvalidBatchEntryId',
        `The Id of a batch entry in the batch request contains an impermissible character: ${id}`,
      );
    }
    if (ids.has(id)) {
      throw new SnsError(
        'BatchEntryIdsNotDistinct',
        'Two or more batch entries in the request have the same Id.',
      );
    }
    ids.add(id);
  }
  return entries;
}
