import type { Random } from '../../base/index.ts';
import { PropertiesEncoder, PropertiesWriter } from './message/index.ts';
import { ReplyQueues } from './publish-replies.ts';
import { ContentHeader } from './wire/index.ts';

/** What the message halves of all channels of a door share. */
export class MessageTools {
  readonly encoder = new PropertiesEncoder();
  readonly writer = new PropertiesWriter();
  readonly header = new ContentHeader();
  readonly replies: ReplyQueues;
  /** Consumers that have a queue to themselves, by the queue's first part. */
  readonly exclusive = new WeakMap<object, object>();

  constructor(random: Random) {
    this.replies = new ReplyQueues(random);
  }
}
