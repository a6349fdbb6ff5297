/**
 * The language in which Kafka's messages are described: plain data that the code generators read, and from which
 * TypeScript infers what a decoded message looks like and what an encoder accepts.
 *
 * The rules are those of Kafka's protocol guide and KIP-482: a field exists from version `since` to `until`; where it
 * does not exist it reads as its default, and a value that differs from the default may be dropped when writing only
 * if the field is `ignorable`. A field with a `tag` is written among the tagged fields, and only if it differs from
 * its default.
 */
export type FixedKind =
  | 'boolean'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'float64'
  | 'uuid';

export type FieldKind = FixedKind | 'string' | 'bytes' | 'records' | 'array' | 'struct';

export interface FieldOptions<T> {
  /** The first version that has the field; all have it if it is not given. */
  readonly since?: number;
  /** The last version that has the field. */
  readonly until?: number;
  /** The first version in which the value may be null. */
  readonly nullable?: number;
  /** What the field reads as where it does not exist; the zero of its type if it is not given. */
  readonly default?: T | null;
  readonly ignorable?: true;
  readonly tag?: number;
}

export interface Int64Options extends FieldOptions<number> {
  /**
   * Values outside the safe integers read as the nearest safe one, and the largest safe one is written as the largest
   * of 64 bits: for points in time and bounds, where "for ever" is a legitimate value. Others are refused.
   */
  readonly saturates?: true;
}

declare const inferred: unique symbol;

/** A field's description. `Out` is what decoding yields, `In` what encoding takes. */
export interface Field<Out = unknown, In = unknown, MayBeOmitted extends boolean = boolean>
  extends FieldOptions<unknown> {
  readonly kind: FieldKind;
  readonly saturates?: true;
  readonly element?: Field;
  readonly fields?: Fields;
  /** Exists only for the type checker. */
  readonly [inferred]?: { out: Out; in: In; mayBeOmitted: MayBeOmitted };
}

export interface Fields {
  readonly [name: string]: Field;
}

export interface Struct<Out = unknown, In = unknown> extends Field<Out, In> {
  readonly kind: 'struct';
  readonly fields: Fields;
}

/** What a decoded message is: every field is there, whatever the version. */
export type OutOf<F> = F extends Field<infer Out> ? Out : never;

/** What the encoder takes: fields that have a default or are not in every version may be left out. */
export type InOf<F> = F extends Field<unknown, infer In> ? In : never;

type OrNull<T, O> = O extends { readonly nullable: number } ? T | null : T;

type IsOptional<O> = O extends
  | { readonly default: unknown }
  | { readonly since: number }
  | { readonly until: number }
  | { readonly tag: number }
  | { readonly ignorable: true }
  ? true
  : false;

type OptionalNames<F extends Fields> = {
  [N in keyof F]: F[N] extends Field<unknown, unknown, infer IsOpt>
    ? IsOpt extends true
      ? N
      : never
    : never;
}[keyof F];

type StructOut<F extends Fields> = { [N in keyof F]: OutOf<F[N]> };

type StructIn<F extends Fields> = {
  readonly [N in Exclude<keyof F, OptionalNames<F>>]: InOf<F[N]>;
} & {
  readonly [N in OptionalNames<F>]?: InOf<F[N]> | undefined;
};

type Made<Out, In, O> = Field<OrNull<Out, O>, OrNull<In, O>, IsOptional<O>>;

function scalar<Out, In = Out>(kind: FieldKind) {
  return <const O extends FieldOptions<Out> = FieldOptions<Out>>(
    options?: O,
  ): Made<Out, In, O> => ({
    kind,
    ...options,
  });
}

export const boolean = scalar<boolean>('boolean');
export const int8 = scalar<number>('int8');
export const int16 = scalar<number>('int16');
export const uint16 = scalar<number>('uint16');
export const int32 = scalar<number>('int32');
export const uint32 = scalar<number>('uint32');
export const float64 = scalar<number>('float64');
/** Canonical text, in small letters. */
export const uuid = scalar<string>('uuid');
export const string = scalar<string>('string');
/** Decoded: a slice borrowed from the frame. */
export const bytes = scalar<Uint8Array>('bytes');
/** Record batches. Decoded: a slice borrowed from the frame. Encoded: one slice or several, referred to, not copied. */
export const records = scalar<Uint8Array, Uint8Array | readonly Uint8Array[]>('records');

/** A number; a value that is not a safe integer breaks the protocol, unless the field `saturates`. */
export function int64<const O extends Int64Options = Int64Options>(
  options?: O,
): Made<number, number, O> {
  return { kind: 'int64', ...options };
}

export function array<
  E extends Field,
  const O extends FieldOptions<never[]> = FieldOptions<never[]>,
>(element: E, options?: O): Made<OutOf<E>[], readonly InOf<E>[], O> {
  return { kind: 'array', element, ...options };
}

export function struct<F extends Fields, const O extends FieldOptions<null> = FieldOptions<null>>(
  fields: F,
  options?: O,
): Made<StructOut<F>, StructIn<F>, O> & { readonly kind: 'struct'; readonly fields: Fields } {
  return { kind: 'struct', fields, ...options };
}

/** A request and its response. */
export interface Api<Req extends Struct = Struct, Res extends Struct = Struct> {
  /** The API key. */
  readonly key: number;
  /** The first and last version that the descriptions cover; what a broker offers may be less. */
  readonly versions: readonly [number, number];
  /** The first version with compact lengths and tagged fields, if any. */
  readonly flexibleSince?: number;
  readonly request: Req;
  readonly response: Res;
}

export function api<const Req extends Struct, const Res extends Struct>(
  description: Api<Req, Res>,
): Api<Req, Res> {
  return description;
}

export const zeroUuid = '00000000-0000-0000-0000-000000000000';

export function isPresent(field: Field, version: number): boolean {
  return version >= (field.since ?? 0) && version <= (field.until ?? Number.MAX_SAFE_INTEGER);
}

export function isNullable(field: Field, version: number): boolean {
  return field.nullable !== undefined && version >= field.nullable;
}
