import { batchHeaderBytes, ByteReader, ByteWriter, RecordBatchBuilder } from '../../bytes/index.ts';

/** How a transaction ended. */
export type TransactionOutcome = 'commit' | 'abort';

/** The end of one producer's transaction in one partition. */
export interface Marker {
  producerId: number;
  epoch: number;
  outcome: TransactionOutcome;
  /** Epoch of the shard whose coordinator decided. */
  coordinatorEpoch: number;
}

const layoutVersion = 0;
const abortType = 0;
const commitType = 1;

/**
 * A control batch with one record: key int16 version, int16 type (0 abort, 1 commit); value int16 version, int32
 * coordinator epoch. It is a public format that consumers read: it does not change.
 */
export function encodeMarker(marker: Marker, timestampMs: number): Uint8Array {
  const key = new ByteWriter(16);
  key.int16(layoutVersion);
  key.int16(marker.outcome === 'commit' ? commitType : abortType);
  const value = new ByteWriter(16);
  value.int16(layoutVersion);
  value.int32(marker.coordinatorEpoch);
  const builder = new RecordBatchBuilder(128);
  builder.add({ key: key.take(), value: value.take(), headers: [], timestampMs });
  return builder.build({
    producerId: marker.producerId,
    producerEpoch: marker.epoch,
    isTransactional: true,
    isControl: true,
  });
}

/** The outcome that the control batch at `at` tells; undefined for a control record of another type. */
export function findOutcome(batch: Uint8Array, at: number): TransactionOutcome | undefined {
  const reader = new ByteReader(batch, at + batchHeaderBytes);
  reader.varint();
  reader.int8();
  reader.varlong();
  reader.varint();
  if (reader.varint() < 4) return undefined;
  reader.int16();
  const type = reader.int16();
  if (type === commitType) return 'commit';
  return type === abortType ? 'abort' : undefined;
}
