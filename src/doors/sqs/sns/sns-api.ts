import type { SqsContext, SqsRequest } from '../context.ts';
import type { QueryParameters } from '../query-protocol.ts';
import { type Input, list, map, type Shape, string, type Structure, structure } from '../shape.ts';
import {
  addPermission,
  getDataProtectionPolicy,
  putDataProtectionPolicy,
  removePermission,
} from './permission.ts';
import { Publishing } from './publishing.ts';
import { Signer } from './signer.ts';
import { findSnsError, SnsError } from './sns-error.ts';
import {
  confirmSubscription,
  getSubscriptionAttributes,
  listSubscriptions,
  listSubscriptionsByTopic,
  setSubscriptionAttributes,
  subscribe,
  unsubscribe,
} from './subscription.ts';
import {
  createTopic,
  deleteTopic,
  getTopicAttributes,
  listTagsForResource,
  listTopics,
  setTopicAttributes,
  tagResource,
  untagResource,
} from './topic.ts';
import { renderError, renderResponse } from './xml.ts';

/** One action; what it answers is written as XML by its own form. */
export interface SnsAction {
  readonly name: string;
  readonly input: Structure;
  readonly handle: (request: SqsRequest, input: Input) => Input | Promise<Input>;
}

const version = '2010-03-31';
const topic = { TopicArn: string };
const subscription = { SubscriptionArn: string };
const resource = { ResourceArn: string };
const pages = { NextToken: string };
const attribute = { AttributeName: string, AttributeValue: string };
const attributes: Shape = {
  kind: 'map',
  entry: 'Attributes.entry',
  keyName: 'key',
  valueName: 'value',
  of: string,
};
const tags = list('Tags.member', structure({ Key: string, Value: string }));
const message = {
  Message: string,
  Subject: string,
  MessageStructure: string,
  MessageAttributes: map(
    'MessageAttributes.entry',
    'Name',
    structure({ DataType: string, StringValue: string, BinaryValue: string }),
  ),
  MessageGroupId: string,
  MessageDeduplicationId: string,
};

/** The API of topics and subscriptions, in the Query protocol, which is what its clients speak: see README.md. */
export class SnsApi {
  readonly #actions = new Map<string, SnsAction>();
  readonly #signer: Signer;

  constructor(context: SqsContext) {
    this.#signer = new Signer(context);
    const publishing = new Publishing(context, this.#signer);
    this.#add('CreateTopic', { Name: string, Attributes: attributes, Tags: tags }, createTopic);
    this.#add('DeleteTopic', topic, deleteTopic);
    this.#add('ListTopics', pages, listTopics);
    this.#add('GetTopicAttributes', topic, getTopicAttributes);
    this.#add('SetTopicAttributes', { ...topic, ...attribute }, setTopicAttributes);
    const subscribing = { Protocol: string, Endpoint: string, Attributes: attributes };
    this.#add('Subscribe', { ...topic, ...subscribing }, subscribe);
    this.#add('ConfirmSubscription', { ...topic, Token: string }, confirmSubscription);
    this.#add('Unsubscribe', subscription, unsubscribe);
    this.#add('ListSubscriptions', pages, listSubscriptions);
    this.#add('ListSubscriptionsByTopic', { ...topic, ...pages }, listSubscriptionsByTopic);
    this.#add('GetSubscriptionAttributes', subscription, getSubscriptionAttributes);
    const setting = { ...subscription, ...attribute };
    this.#add('SetSubscriptionAttributes', setting, setSubscriptionAttributes);
    this.#add('TagResource', { ...resource, Tags: tags }, tagResource);
    this.#add('UntagResource', { ...resource, TagKeys: list('TagKeys.member') }, untagResource);
    this.#add('ListTagsForResource', resource, listTagsForResource);
    const labelled = { ...topic, Label: string };
    const permitted = {
      AWSAccountId: list('AWSAccountId.member'),
      ActionName: list('ActionName.member'),
    };
    this.#add('AddPermission', { ...labelled, ...permitted }, addPermission);
    this.#add('RemovePermission', labelled, removePermission);
    const protection = { ...resource, DataProtectionPolicy: string };
    this.#add('PutDataProtectionPolicy', protection, putDataProtectionPolicy);
    this.#add('GetDataProtectionPolicy', resource, getDataProtectionPolicy);
    const target = { ...topic, TargetArn: string, PhoneNumber: string };
    this.#add('Publish', { ...target, ...message }, (request, input) =>
      publishing.publish(request, input),
    );
    const entry = structure({ Id: string, ...message });
    const entries = list('PublishBatchRequestEntries.member', entry);
    this.#add('PublishBatch', { ...topic, PublishBatchRequestEntries: entries }, (request, input) =>
      publishing.publishBatch(request, input),
    );
  }

  /**
   * Whether a request of the Query protocol is for this API: by its version, or, where there is none, by an action that
   * only this one has.
   */
  isFor(parameters: QueryParameters): boolean {
    const given = parameters.get('Version');
    if (given !== undefined) return given === version;
    return this.#actions.has(parameters.get('Action') ?? '');
  }

  /** Throws SnsError. */
  getAction(parameters: QueryParameters): SnsAction {
    const name = parameters.get('Action') ?? '';
    const action = this.#actions.get(name);
    if (action === undefined) {
      throw new SnsError('InvalidAction', `The action ${name} is not valid for this endpoint.`);
    }
    return action;
  }

  renderResponse(action: SnsAction, output: Input, requestId: string): string {
    return renderResponse(action.name, output, requestId);
  }

  /** The certificate that envelopes name, as PEM; undefined for a path that leads to none. */
  async findCertificate(path: string): Promise<string | undefined> {
    return await this.#signer.findCertificate(path.slice(1));
  }

  /** Undefined for an error that nobody expected. */
  findFailure(
    error: unknown,
    action: string,
    requestId: string,
  ): { status: number; text: string } | undefined {
    const refusal = findSnsError(error, action);
    return refusal && { status: refusal.status, text: renderError(refusal, requestId) };
  }

  #add(name: string, members: Readonly<Record<string, Shape>>, handle: SnsAction['handle']): void {
    this.#actions.set(name, { name, input: structure(members), handle });
  }
}
