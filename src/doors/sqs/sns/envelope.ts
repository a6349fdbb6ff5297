import type { MessageAttributes } from '../attribute-digest.ts';

export interface Notification {
  readonly messageId: string;
  readonly topicArn: string;
  readonly subject: string | undefined;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly timestampMs: number;
  /** Only of FIFO topics. */
  readonly sequenceNumber: string | undefined;
  readonly attributes: MessageAttributes | undefined;
  readonly unsubscribeUrl: string;
  readonly signatureVersion: string;
  /** Only of standard topics. */
  readonly signature: string | undefined;
  readonly certificateUrl: string | undefined;
}

/**
 * The body that a queue gets where its subscription is not raw: members and their order, and the spaces between them, are
 * those of the service.
 */
export function renderEnvelope(notification: Notification): string {
  const members: Array<readonly [string, unknown]> = [
    ['Type', 'Notification'],
    ['MessageId', notification.messageId],
  ];
  const isFifo = notification.sequenceNumber !== undefined;
  if (isFifo) members.push(['SequenceNumber', notification.sequenceNumber]);
  members.push(['TopicArn', notification.topicArn]);
  if (notification.subject !== undefined) members.push(['Subject', notification.subject]);
  members.push(
    ['Message', notification.message],
    ['Timestamp', new Date(notification.timestampMs).toISOString()],
  );
  if (!isFifo) {
    members.push(
      ['SignatureVersion', notification.signatureVersion],
      ['Signature', notification.signature ?? ''],
      ['SigningCertURL', notification.certificateUrl ?? ''],
    );
  }
  members.push(['UnsubscribeURL', notification.unsubscribeUrl]);
  if (notification.attributes !== undefined) {
    members.push(['MessageAttributes', describe(notification.attributes)]);
  }
  const lines = members.map(
    ([name, value]) => `  ${JSON.stringify(name)} : ${JSON.stringify(value)}`,
  );
  return `{\n${lines.join(',\n')}\n}`;
}

function describe(attributes: MessageAttributes): Record<string, { Type: string; Value: string }> {
  const described: Record<string, { Type: string; Value: string }> = {};
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes)) {
    described[name] = { Type: DataType, Value: BinaryValue ?? StringValue ?? '' };
  }
  return described;
}
