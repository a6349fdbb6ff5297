import {
  type Field,
  type FieldTable,
  type MethodArguments,
  type MethodName,
} from '../../../../src/doors/amqp091/wire/index.ts';
import type { RawSession } from './raw-session.ts';

export interface RawScenario {
  name: string;
  run: (session: RawSession) => Promise<void> | void;
  /** Why the answers differ from RabbitMQ 3.10's; they must. */
  differs?: string;
}

export const none: FieldTable = new Map();
export const text = (value: string): Field => ({ type: 'S', value });
export const whole = (value: number): Field => ({ type: 'I', value });
export const yes: Field = { type: 't', value: true };

export function table(fields: Readonly<Record<string, Field>>): FieldTable {
  return new Map(Object.entries(fields));
}

export type Given<Name extends MethodName> = Partial<MethodArguments<Name>>;

export function queue(given: Given<'queueDeclare'>): MethodArguments<'queueDeclare'> {
  return {
    ticket: 0,
    queue: 'conformance',
    passive: false,
    durable: false,
    exclusive: true,
    autoDelete: false,
    nowait: false,
    arguments: none,
    ...given,
  };
}

export function exchange(given: Given<'exchangeDeclare'>): MethodArguments<'exchangeDeclare'> {
  return {
    ticket: 0,
    exchange: 'conformance.x',
    type: 'direct',
    passive: false,
    durable: false,
    autoDelete: true,
    internal: false,
    nowait: false,
    arguments: none,
    ...given,
  };
}

export function consume(given: Given<'basicConsume'>): MethodArguments<'basicConsume'> {
  return {
    ticket: 0,
    queue: 'conformance',
    consumerTag: 'tag',
    noLocal: false,
    noAck: false,
    exclusive: false,
    nowait: false,
    arguments: none,
    ...given,
  };
}

export const deletion = {
  ticket: 0,
  queue: 'conformance',
  ifUnused: false,
  ifEmpty: false,
  nowait: false,
};
export const fetch = { ticket: 0, queue: 'conformance', noAck: false };
export const binding = { ticket: 0, queue: 'conformance', routingKey: 'k', arguments: none };
export const exchangeBinding = { ticket: 0, routingKey: 'k', nowait: false, arguments: none };

/** Declares, and looks at the answer. */
export async function declared(
  session: RawSession,
  given: Given<'queueDeclare'> = {},
): Promise<void> {
  session.send('queueDeclare', queue(given));
  await session.answer();
}

/** A first declaration and a second one that differs. */
export function redeclared(
  what: string,
  first: Given<'queueDeclare'>,
  second: Given<'queueDeclare'>,
): RawScenario {
  return {
    name: `queue.declare again: ${what}`,
    run: async (session) => {
      await declared(session, first);
      session.send('queueDeclare', queue(second));
      await session.answer();
      // Not every one of them is exclusive, and goes with its connection.
      await session.reopen();
      session.send('queueDelete', deletion);
    },
  };
}

export function argument(
  name: string,
  field: Field,
  extra: Given<'queueDeclare'> = {},
): RawScenario {
  return {
    name: `queue.declare with ${name} = ${JSON.stringify(field)}`,
    run: (session) =>
      session.send('queueDeclare', queue({ arguments: table({ [name]: field }), ...extra })),
  };
}

export function redeclaredExchange(what: string, second: Given<'exchangeDeclare'>): RawScenario {
  return {
    name: `exchange.declare again: ${what}`,
    run: async (session) => {
      const named = { exchange: `conformance.${what}` };
      session.send('exchangeDeclare', exchange(named));
      await session.answer();
      session.send('exchangeDeclare', exchange({ ...named, ...second }));
      await session.answer();
      await session.reopen();
      session.send('exchangeDelete', { ticket: 0, ...named, ifUnused: false, nowait: false });
    },
  };
}

/** Sends one method on the open channel of a queue `conformance`. */
export function one<Name extends MethodName>(
  name: string,
  method: Name,
  values: MethodArguments<Name>,
  differs?: string,
): RawScenario {
  return {
    name,
    run: async (session) => {
      await declared(session);
      session.send(method, values);
    },
    ...(differs === undefined ? {} : { differs }),
  };
}

export function publication(
  to: string,
  routingKey: string,
  flags: Given<'basicPublish'> = {},
): MethodArguments<'basicPublish'> {
  return { ticket: 0, exchange: to, routingKey, mandatory: false, immediate: false, ...flags };
}
