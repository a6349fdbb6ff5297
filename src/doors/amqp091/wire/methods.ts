import type { FieldTable } from './field-table.ts';

/**
 * The methods, as data from which readers, writers and types are made. Specification: AMQP 0-9-1 §1.5 to §1.8 with
 * RabbitMQ's extensions: connection.blocked, unblocked, update-secret; exchange.bind, unbind, auto-delete, internal;
 * basic.nack; confirm. Fields that the specification reserves keep the names that they had in AMQP 0-8 and 0-9.
 */
export interface KindValues {
  readonly octet: number;
  readonly short: number;
  readonly long: number;
  /** A safe integer; greater ones are not exact. */
  readonly longlong: number;
  /** Neighbouring bits share an octet. */
  readonly bit: boolean;
  readonly shortstr: string;
  /** Any bytes; a slice of the frame when it was read. */
  readonly longstr: Uint8Array;
  readonly table: FieldTable;
}

export type FieldKind = keyof KindValues;

export interface Method {
  readonly classId: number;
  readonly methodId: number;
  readonly fields: Readonly<Record<string, FieldKind>>;
  /** Who sends it. */
  readonly from: 'client' | 'server' | 'both';
  /** Header and body frames follow. */
  readonly hasContent?: true;
}

const ticket = { ticket: 'short' } as const;
const closeFields = {
  replyCode: 'short',
  replyText: 'shortstr',
  failedClassId: 'short',
  failedMethodId: 'short',
} as const;
const tuneFields = { channelMax: 'short', frameMax: 'long', heartbeat: 'short' } as const;
const exchangeBindingFields = {
  ...ticket,
  destination: 'shortstr',
  source: 'shortstr',
  routingKey: 'shortstr',
  nowait: 'bit',
  arguments: 'table',
} as const;

/** By the name of class and method. */
export const methods = {
  connectionStart: {
    classId: 10,
    methodId: 10,
    from: 'server',
    fields: {
      versionMajor: 'octet',
      versionMinor: 'octet',
      serverProperties: 'table',
      mechanisms: 'longstr',
      locales: 'longstr',
    },
  },
  connectionStartOk: {
    classId: 10,
    methodId: 11,
    from: 'client',
    fields: {
      clientProperties: 'table',
      mechanism: 'shortstr',
      response: 'longstr',
      locale: 'shortstr',
    },
  },
  connectionSecure: { classId: 10, methodId: 20, from: 'server', fields: { challenge: 'longstr' } },
  connectionSecureOk: {
    classId: 10,
    methodId: 21,
    from: 'client',
    fields: { response: 'longstr' },
  },
  connectionTune: { classId: 10, methodId: 30, from: 'server', fields: tuneFields },
  connectionTuneOk: { classId: 10, methodId: 31, from: 'client', fields: tuneFields },
  connectionOpen: {
    classId: 10,
    methodId: 40,
    from: 'client',
    fields: { virtualHost: 'shortstr', capabilities: 'shortstr', insist: 'bit' },
  },
  connectionOpenOk: {
    classId: 10,
    methodId: 41,
    from: 'server',
    fields: { knownHosts: 'shortstr' },
  },
  connectionClose: { classId: 10, methodId: 50, from: 'both', fields: closeFields },
  connectionCloseOk: { classId: 10, methodId: 51, from: 'both', fields: {} },
  connectionBlocked: { classId: 10, methodId: 60, from: 'both', fields: { reason: 'shortstr' } },
  connectionUnblocked: { classId: 10, methodId: 61, from: 'both', fields: {} },
  connectionUpdateSecret: {
    classId: 10,
    methodId: 70,
    from: 'client',
    fields: { newSecret: 'longstr', reason: 'shortstr' },
  },
  connectionUpdateSecretOk: { classId: 10, methodId: 71, from: 'server', fields: {} },

  channelOpen: { classId: 20, methodId: 10, from: 'client', fields: { outOfBand: 'shortstr' } },
  channelOpenOk: { classId: 20, methodId: 11, from: 'server', fields: { channelId: 'longstr' } },
  channelFlow: { classId: 20, methodId: 20, from: 'both', fields: { active: 'bit' } },
  channelFlowOk: { classId: 20, methodId: 21, from: 'both', fields: { active: 'bit' } },
  channelClose: { classId: 20, methodId: 40, from: 'both', fields: closeFields },
  channelCloseOk: { classId: 20, methodId: 41, from: 'both', fields: {} },

  accessRequest: {
    classId: 30,
    methodId: 10,
    from: 'client',
    fields: {
      realm: 'shortstr',
      exclusive: 'bit',
      passive: 'bit',
      active: 'bit',
      write: 'bit',
      read: 'bit',
    },
  },
  accessRequestOk: { classId: 30, methodId: 11, from: 'server', fields: ticket },

  exchangeDeclare: {
    classId: 40,
    methodId: 10,
    from: 'client',
    fields: {
      ...ticket,
      exchange: 'shortstr',
      type: 'shortstr',
      passive: 'bit',
      durable: 'bit',
      autoDelete: 'bit',
      internal: 'bit',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  exchangeDeclareOk: { classId: 40, methodId: 11, from: 'server', fields: {} },
  exchangeDelete: {
    classId: 40,
    methodId: 20,
    from: 'client',
    fields: { ...ticket, exchange: 'shortstr', ifUnused: 'bit', nowait: 'bit' },
  },
  exchangeDeleteOk: { classId: 40, methodId: 21, from: 'server', fields: {} },
  exchangeBind: { classId: 40, methodId: 30, from: 'client', fields: exchangeBindingFields },
  exchangeBindOk: { classId: 40, methodId: 31, from: 'server', fields: {} },
  exchangeUnbind: { classId: 40, methodId: 40, from: 'client', fields: exchangeBindingFields },
  exchangeUnbindOk: { classId: 40, methodId: 51, from: 'server', fields: {} },

  queueDeclare: {
    classId: 50,
    methodId: 10,
    from: 'client',
    fields: {
      ...ticket,
      queue: 'shortstr',
      passive: 'bit',
      durable: 'bit',
      exclusive: 'bit',
      autoDelete: 'bit',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  queueDeclareOk: {
    classId: 50,
    methodId: 11,
    from: 'server',
    fields: { queue: 'shortstr', messageCount: 'long', consumerCount: 'long' },
  },
  queueBind: {
    classId: 50,
    methodId: 20,
    from: 'client',
    fields: {
      ...ticket,
      queue: 'shortstr',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  queueBindOk: { classId: 50, methodId: 21, from: 'server', fields: {} },
  queuePurge: {
    classId: 50,
    methodId: 30,
    from: 'client',
    fields: { ...ticket, queue: 'shortstr', nowait: 'bit' },
  },
  queuePurgeOk: { classId: 50, methodId: 31, from: 'server', fields: { messageCount: 'long' } },
  queueDelete: {
    classId: 50,
    methodId: 40,
    from: 'client',
    fields: { ...ticket, queue: 'shortstr', ifUnused: 'bit', ifEmpty: 'bit', nowait: 'bit' },
  },
  queueDeleteOk: { classId: 50, methodId: 41, from: 'server', fields: { messageCount: 'long' } },
  queueUnbind: {
    classId: 50,
    methodId: 50,
    from: 'client',
    fields: {
      ...ticket,
      queue: 'shortstr',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      arguments: 'table',
    },
  },
  queueUnbindOk: { classId: 50, methodId: 51, from: 'server', fields: {} },

  basicQos: {
    classId: 60,
    methodId: 10,
    from: 'client',
    fields: { prefetchSize: 'long', prefetchCount: 'short', global: 'bit' },
  },
  basicQosOk: { classId: 60, methodId: 11, from: 'server', fields: {} },
  basicConsume: {
    classId: 60,
    methodId: 20,
    from: 'client',
    fields: {
      ...ticket,
      queue: 'shortstr',
      consumerTag: 'shortstr',
      noLocal: 'bit',
      noAck: 'bit',
      exclusive: 'bit',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  basicConsumeOk: {
    classId: 60,
    methodId: 21,
    from: 'server',
    fields: { consumerTag: 'shortstr' },
  },
  basicCancel: {
    classId: 60,
    methodId: 30,
    from: 'both',
    fields: { consumerTag: 'shortstr', nowait: 'bit' },
  },
  basicCancelOk: { classId: 60, methodId: 31, from: 'both', fields: { consumerTag: 'shortstr' } },
  basicPublish: {
    classId: 60,
    methodId: 40,
    from: 'client',
    hasContent: true,
    fields: {
      ...ticket,
      exchange: 'shortstr',
      routingKey: 'shortstr',
      mandatory: 'bit',
      immediate: 'bit',
    },
  },
  basicReturn: {
    classId: 60,
    methodId: 50,
    from: 'server',
    hasContent: true,
    fields: {
      replyCode: 'short',
      replyText: 'shortstr',
      exchange: 'shortstr',
      routingKey: 'shortstr',
    },
  },
  basicDeliver: {
    classId: 60,
    methodId: 60,
    from: 'server',
    hasContent: true,
    fields: {
      consumerTag: 'shortstr',
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortstr',
      routingKey: 'shortstr',
    },
  },
  basicGet: {
    classId: 60,
    methodId: 70,
    from: 'client',
    fields: { ...ticket, queue: 'shortstr', noAck: 'bit' },
  },
  basicGetOk: {
    classId: 60,
    methodId: 71,
    from: 'server',
    hasContent: true,
    fields: {
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      messageCount: 'long',
    },
  },
  basicGetEmpty: { classId: 60, methodId: 72, from: 'server', fields: { clusterId: 'shortstr' } },
  basicAck: {
    classId: 60,
    methodId: 80,
    from: 'both',
    fields: { deliveryTag: 'longlong', multiple: 'bit' },
  },
  basicReject: {
    classId: 60,
    methodId: 90,
    from: 'client',
    fields: { deliveryTag: 'longlong', requeue: 'bit' },
  },
  basicRecoverAsync: { classId: 60, methodId: 100, from: 'client', fields: { requeue: 'bit' } },
  basicRecover: { classId: 60, methodId: 110, from: 'client', fields: { requeue: 'bit' } },
  basicRecoverOk: { classId: 60, methodId: 111, from: 'server', fields: {} },
  basicNack: {
    classId: 60,
    methodId: 120,
    from: 'both',
    fields: { deliveryTag: 'longlong', multiple: 'bit', requeue: 'bit' },
  },

  confirmSelect: { classId: 85, methodId: 10, from: 'client', fields: { nowait: 'bit' } },
  confirmSelectOk: { classId: 85, methodId: 11, from: 'server', fields: {} },

  txSelect: { classId: 90, methodId: 10, from: 'client', fields: {} },
  txSelectOk: { classId: 90, methodId: 11, from: 'server', fields: {} },
  txCommit: { classId: 90, methodId: 20, from: 'client', fields: {} },
  txCommitOk: { classId: 90, methodId: 21, from: 'server', fields: {} },
  txRollback: { classId: 90, methodId: 30, from: 'client', fields: {} },
  txRollbackOk: { classId: 90, methodId: 31, from: 'server', fields: {} },
} as const satisfies Record<string, Method>;

export type MethodName = keyof typeof methods;

/** What a method carries: `MethodArguments<'queueDeclare'>`. */
export type MethodArguments<Name extends MethodName> = {
  readonly [field in keyof (typeof methods)[Name]['fields']]: (typeof methods)[Name]['fields'][field] extends FieldKind
    ? KindValues[(typeof methods)[Name]['fields'][field]]
    : never;
};

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the table has no keys but those of its type
export const methodNames = Object.keys(methods) as MethodName[];

/** Class and method as one number, as the first four bytes of the method's frame. */
export function methodKey(classId: number, methodId: number): number {
  return classId * 0x10000 + methodId;
}

const byKey: ReadonlyMap<number, MethodName> = new Map(
  methodNames.map((name) => [methodKey(methods[name].classId, methods[name].methodId), name]),
);

export function findMethod(key: number): MethodName | undefined {
  return byKey.get(key);
}

export function keyOfMethod(name: MethodName): number {
  return methodKey(methods[name].classId, methods[name].methodId);
}

/** As it is written in texts: `queue.declare`, `connection.start_ok`. */
export function spellMethod(name: MethodName): string {
  const at = name.search(/[A-Z]/);
  const rest = name.slice(at).replace(/^[A-Z]/, (first) => first.toLowerCase());
  return `${name.slice(0, at)}.${rest.replaceAll(/[A-Z]/g, (next) => `_${next.toLowerCase()}`)}`;
}
