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
  const members: Array<readonly [string, string]> = [
    ['Type', 'Notification'],
    ['MessageId', notification.messageId],
  ];
  const { sequenceNumber, attributes } = notification;
  const isFifo = sequenceNumber !== undefined;
  if (isFifo) members.push(['SequenceNumber', sequenceNumber]);
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
  const lines = members.map(
    ([name, value]) => `  ${JSON.stringify(name)} : ${JSON.stringify(value)}`,
  );
  if (attributes !== undefined) lines.push(`  "MessageAttributes" : ${describe(attributes)}`);
  return `{\n${lines.join(',\n')}\n}`;
}

function describe(attributes: MessageAttributes): string {
  const lines: string[] = [];
  for (const [name, { DataType, StringValue, BinaryValue }] of Object.entries(attributes)) {
    const described = { Type: DataType, Value: BinaryValue ?? StringValue ?? '' };
    lines.push(`    ${JSON.stringify(name)} : ${JSON.stringify(described)}`);
  }
  return `{\n${lines.join(',\n')}\n  }`;
}
