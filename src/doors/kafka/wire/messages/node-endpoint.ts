import { array, type FieldOptions, int32, string, struct } from '../schema.ts';

/** Where the leaders are that a response speaks of (KIP-951). */
export function nodeEndpoints<const O extends FieldOptions<never[]> = FieldOptions<never[]>>(
  options?: O,
) {
  return array(
    struct({
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: 0, default: null }),
    }),
    options,
  );
}
