import { apis } from '../../../../src/doors/kafka/wire/apis.ts';
import { FrameWriter } from '../../../../src/doors/kafka/wire/frame-writer.ts';
import { MessageCodec } from '../../../../src/doors/kafka/wire/message-codec.ts';
import type { Struct } from '../../../../src/doors/kafka/wire/schema.ts';
import { SampleMaker, type SampleStyle, sampleStyles } from './sample-message.ts';

export interface MessageVersion {
  /** `ProduceRequest` and so on. */
  readonly name: string;
  readonly struct: Struct;
  readonly version: number;
  readonly codec: MessageCodec<Struct>;
}

export interface MessageSample extends MessageVersion {
  readonly style: SampleStyle;
  readonly value: unknown;
}

/** All versions of all requests and responses. */
export function everyMessage(): MessageVersion[] {
  const result: MessageVersion[] = [];
  for (const [api, { versions, flexibleSince, request, response }] of Object.entries(apis)) {
    for (const [suffix, struct] of [
      ['Request', request],
      ['Response', response],
    ] as const) {
      const name = `${api}${suffix}`;
      const codec = new MessageCodec<Struct>(struct, { name, versions, flexibleSince });
      for (let version = versions[0]; version <= versions[1]; version++) {
        result.push({ name, struct, version, codec });
      }
    }
  }
  return result;
}

/** One message of each version and style, the same at each call. */
export function everySample(): MessageSample[] {
  return everyMessage().flatMap((message, index) =>
    sampleStyles.map((style) => sampleOf(message, style, index)),
  );
}

export function sampleOf(message: MessageVersion, style: SampleStyle, seed: number): MessageSample {
  const value = new SampleMaker(message.version, style, seed).make(message.struct);
  return { ...message, style, value };
}

export function encode(message: MessageVersion, value: unknown): Buffer {
  const writer = new FrameWriter(0);
  message.codec.write(message.version, value, writer);
  return Buffer.concat(writer.slices());
}
