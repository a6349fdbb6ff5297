import type { ConfirmChannel } from 'amqplib';
import { until } from '../../../support/until.ts';

export interface Answer {
  readonly status: number;
  /** Undefined where there is none. */
  readonly json: unknown;
  readonly location: string | undefined;
}

/** Asks the management API as `guest`, or as another user `NAME:PASSWORD`. */
export type Api = (method: string, path: string, body?: unknown, user?: string) => Promise<Answer>;

export interface ManagementScenario {
  name: string;
  /** What it returns is compared, spelled as JSON. */
  run: (api: Api, channel: ConfirmChannel) => Promise<unknown>;
  /** Why the answers differ from RabbitMQ 3.10's; they must. */
  differs?: string;
}

type Step = readonly [method: string, path: string, body?: unknown, user?: string];

const queues = 'queues/%2F/conformance.q';
const exchanges = 'exchanges/%2F/conformance.x';

/** Answers in order: the status, and what is said where something is refused. */
async function play(api: Api, sequence: readonly Step[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const [method, path, body, user] of sequence) {
    const { status, json, location } = await api(method, path, body, user);
    // RabbitMQ says nothing more where a method is not there.
    const isRefused = status >= 400 && status !== 405 && typeof json === 'object' && json !== null;
    results.push([`${method} ${path}`, status, isRefused ? json : undefined, location]);
  }
  return results;
}

/** Only the statuses. */
async function statuses(api: Api, sequence: readonly Step[]): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const [method, path, body, user] of sequence) {
    results.push([`${method} ${path}`, (await api(method, path, body, user)).status]);
  }
  return results;
}

/** A plain sequence whose answers are all there is to it, and another one that tidies up. */
function steps(
  name: string,
  sequence: readonly Step[],
  tidying: readonly Step[] = [],
  differs?: string,
): ManagementScenario {
  return {
    name: `management: ${name}`,
    run: async (api) => {
      try {
        return await play(api, sequence);
      } finally {
        await statuses(api, tidying);
      }
    },
    ...(differs === undefined ? {} : { differs }),
  };
}

function pick(value: unknown, names: readonly string[]): Record<string, unknown> {
  const fields = new Map(Object.entries(typeof value === 'object' && value !== null ? value : {}));
  return Object.fromEntries(names.map((name) => [name, fields.get(name)]));
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

const pageFields = ['filtered_count', 'item_count', 'items', 'page', 'page_count', 'page_size'];
const queueFields = ['name', 'vhost', 'durable', 'auto_delete', 'exclusive', 'arguments'];
const messageFields = [
  'payload',
  'payload_bytes',
  'payload_encoding',
  'redelivered',
  'exchange',
  'routing_key',
  'message_count',
];

const topology: readonly ManagementScenario[] = [
  steps(
    'a queue is made, made again, made otherwise, deleted twice',
    [
      ['GET', queues],
      ['PUT', queues, { durable: true }],
      ['PUT', queues, { durable: true }],
      ['PUT', queues, { durable: true, auto_delete: true }],
      ['PUT', queues, { durable: true, arguments: { 'x-message-ttl': 'soon' } }],
      ['DELETE', queues],
      ['DELETE', queues],
    ],
    [['DELETE', queues]],
  ),
  steps(
    'bodies of a queue that are none',
    [
      ['PUT', queues, 'no json'],
      ['PUT', queues, []],
      ['PUT', queues, { durable: 'what' }],
      ['PUT', queues, { arguments: [] }],
      ['PUT', queues, {}],
    ],
    [['DELETE', queues]],
  ),
  {
    name: 'management: what is told of a queue',
    run: async (api) => {
      const body = { durable: true, arguments: { 'x-max-length': 5, 'x-expires': 600_000 } };
      await api('PUT', queues, body);
      const { json } = await api('GET', queues);
      const listed = await api('GET', 'queues/%2F');
      await api('DELETE', queues);
      const mine = list(listed.json).filter(
        (each) => pick(each, ['name']).name === 'conformance.q',
      );
      return [pick(json, queueFields), mine.map((each) => pick(each, queueFields))];
    },
  },
  steps(
    'an exchange is made, made again, made otherwise, deleted twice',
    [
      ['GET', exchanges],
      ['PUT', exchanges, { type: 'direct' }],
      ['PUT', exchanges, { type: 'direct' }],
      ['PUT', exchanges, { type: 'fanout' }],
      ['PUT', exchanges, { type: 'direct', internal: true }],
      ['DELETE', exchanges],
      ['DELETE', exchanges],
      ['PUT', exchanges, {}],
      ['PUT', 'exchanges/%2F/amq.mine', { type: 'direct' }],
      ['DELETE', 'exchanges/%2F/amq.direct'],
      ['DELETE', 'exchanges/%2F/amq.default'],
    ],
    [['DELETE', exchanges]],
  ),
  steps(
    'deleted only where not used, or empty',
    [
      ['PUT', exchanges, { type: 'fanout' }],
      ['PUT', queues, {}],
      ['POST', 'bindings/%2F/e/conformance.x/q/conformance.q', { routing_key: 'k' }],
      ['DELETE', `${exchanges}?if-unused=true`],
      [
        'POST',
        `${exchanges}/publish`,
        { properties: {}, routing_key: 'k', payload: 'x', payload_encoding: 'string' },
      ],
      ['DELETE', `${queues}?if-empty=true`],
      ['DELETE', `${queues}/contents`],
      ['DELETE', `${queues}?if-empty=true&if-unused=true`],
      ['DELETE', `${exchanges}?if-unused=true`],
    ],
    [
      ['DELETE', queues],
      ['DELETE', exchanges],
    ],
  ),
  steps(
    'bindings: made, made again, with arguments, looked at, deleted twice',
    [
      ['PUT', queues, {}],
      ['POST', 'bindings/%2F/e/amq.topic/q/conformance.q', { routing_key: 'a.b' }],
      ['POST', 'bindings/%2F/e/amq.topic/q/conformance.q', { routing_key: 'a.b' }],
      ['POST', 'bindings/%2F/e/amq.topic/q/conformance.q', {}],
      [
        'POST',
        'bindings/%2F/e/amq.topic/q/conformance.q',
        { routing_key: 'k', arguments: { a: 1 } },
      ],
      ['GET', 'bindings/%2F/e/amq.topic/q/conformance.q/a.b'],
      ['GET', 'bindings/%2F/e/amq.topic/q/conformance.q/nope'],
      ['DELETE', 'bindings/%2F/e/amq.topic/q/conformance.q/a.b'],
      ['DELETE', 'bindings/%2F/e/amq.topic/q/conformance.q/a.b'],
      ['POST', 'bindings/%2F/e/nope/q/conformance.q', { routing_key: 'k' }],
      ['POST', 'bindings/%2F/e/amq.topic/q/nope', { routing_key: 'k' }],
      ['POST', 'bindings/%2F/e/amq.topic/e/amq.fanout', { routing_key: 'k' }],
      ['DELETE', 'bindings/%2F/e/amq.topic/e/amq.fanout/k'],
      ['GET', 'bindings/nope'],
    ],
    [['DELETE', queues]],
  ),
  {
    name: 'management: what is told of bindings',
    run: async (api) => {
      await api('PUT', queues, {});
      await api('POST', 'bindings/%2F/e/amq.topic/q/conformance.q', {
        routing_key: 'a#b c/d',
        arguments: { n: 1, t: 'x', l: [1, 'a'], o: { p: true } },
      });
      const { json } = await api('GET', `${queues}/bindings`);
      await api('DELETE', queues);
      return json;
    },
  },
  {
    name: 'management: published and got, in all ways of acknowledging',
    run: async (api) => {
      await api('PUT', queues, {});
      const publish = (payload: string, extra: object = {}): Promise<Answer> =>
        api('POST', 'exchanges/%2F/amq.default/publish', {
          properties: { delivery_mode: 2, headers: { a: 1 }, message_id: 'm' },
          routing_key: 'conformance.q',
          payload,
          payload_encoding: 'string',
          ...extra,
        });
      const routed = [
        await publish('one'),
        await publish('dHdv', { payload_encoding: 'base64' }),
        await publish('x', { routing_key: 'nowhere' }),
        await publish('x', { payload_encoding: 'what' }),
        await publish('_', { payload_encoding: 'base64' }),
        await publish('x', { properties: { delivery_mode: 'two' } }),
      ].map(({ status, json }) => [status, json]);
      const get = async (body: object): Promise<unknown> => {
        const { status, json } = await api('POST', `${queues}/get`, body);
        return [
          status,
          Array.isArray(json)
            ? json.map((each) => ({ ...pick(each, messageFields), ...pick(each, ['properties']) }))
            : json,
        ];
      };
      const encoding = 'auto';
      const got = [
        await get({ count: 1, ackmode: 'ack_requeue_true', encoding }),
        await get({ count: 5, ackmode: 'reject_requeue_true', encoding: 'base64' }),
        await get({ count: 1, ackmode: 'ack_requeue_false', encoding, truncate: 1 }),
        await get({ count: 1, ackmode: 'reject_requeue_false', encoding }),
        await get({ count: 1, ackmode: 'ack_requeue_false', encoding }),
        await get({ count: 1, encoding }),
        await get({ count: 'all', ackmode: 'ack_requeue_false', encoding }),
        await get({ count: 1, ackmode: 'ack_requeue_false', encoding: 'what' }),
      ];
      await api('DELETE', queues);
      return { routed, got };
    },
  },
  steps(
    'actions and contents of a queue',
    [
      ['PUT', queues, {}],
      ['POST', `${queues}/actions`, { action: 'what' }],
      ['POST', `${queues}/actions`, {}],
      ['DELETE', `${queues}/contents`],
      ['DELETE', 'queues/%2F/nope/contents'],
      ['POST', 'queues/%2F/nope/get', { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' }],
      [
        'POST',
        'exchanges/%2F/nope/publish',
        { properties: {}, routing_key: 'k', payload: 'x', payload_encoding: 'string' },
      ],
    ],
    [['DELETE', queues]],
  ),
  {
    name: 'management: lists in pages, by columns, sorted',
    run: async (api) => {
      const names = ['conformance.a', 'conformance.b', 'conformance.c'];
      for (const name of names) await api('PUT', `queues/%2F/${name}`, {});
      const ask = async (query: string): Promise<unknown> => {
        const { status, json } = await api('GET', `queues/%2F?${query}`);
        // How many there are in all depends on what else was done with the broker.
        return [query, status, status >= 400 ? json : pick(json, pageFields)];
      };
      const results = [
        await ask('name=conformance&page=1&page_size=2&columns=name,durable'),
        await ask('name=conformance&page=2&page_size=2&columns=name'),
        await ask('name=conformance&page=3&page_size=2&columns=name'),
        await ask('name=conformance&page=0&page_size=2'),
        await ask('name=conformance&page=1&page_size=0'),
        await ask('name=conformance&page=1&page_size=501'),
        await ask('name=%5Econ.*b$&use_regex=true&page=1&page_size=5&columns=name'),
        await ask('name=conformance&page=1&page_size=5&columns=name&sort=name&sort_reverse=true'),
        await ask('name=none&page=1&page_size=5&columns=name'),
      ];
      for (const name of names) await api('DELETE', `queues/%2F/${name}`);
      return results;
    },
  },
];

const user = 'users/conformance';
const vhost = 'vhosts/conformance';
const policy = 'policies/%2F/conformance';
const operatorPolicy = 'operator-policies/%2F/conformance';

const access: readonly ManagementScenario[] = [
  steps(
    'users: made, changed, refused, deleted',
    [
      ['GET', user],
      ['PUT', user, {}],
      ['PUT', user, { tags: 'management' }],
      ['PUT', user, { password: 'p', tags: 'management' }],
      ['PUT', user, { password: 'p', tags: ['management', 'policymaker'] }],
      ['PUT', user, { password: 'p' }],
      ['PUT', user, { password: 'p', password_hash: '', tags: '' }],
      ['PUT', user, { password_hash: '', tags: 'management' }],
      ['GET', `${user}/permissions`],
      ['DELETE', user],
      ['DELETE', user],
      ['GET', 'users/nope/permissions'],
      ['POST', 'users/bulk-delete', { users: ['nope'] }],
    ],
    [['DELETE', user]],
  ),
  steps(
    'virtual hosts: made, made again, their metadata, deleted twice',
    [
      ['GET', vhost],
      ['PUT', vhost],
      ['PUT', vhost, {}],
      ['PUT', vhost, { description: 'd', tags: 'a,b' }],
      ['GET', `${vhost}/permissions`],
      ['GET', `${vhost}/topic-permissions`],
      ['GET', 'queues/conformance'],
      ['PUT', 'queues/conformance/q', {}],
      ['DELETE', vhost],
      ['DELETE', vhost],
      ['GET', 'queues/conformance'],
      ['PUT', 'queues/conformance/q', {}],
    ],
    [['DELETE', vhost]],
  ),
  steps(
    'permissions: set, refused, cleared',
    [
      ['PUT', user, { password: 'p', tags: '' }],
      ['GET', 'permissions/%2F/conformance'],
      ['PUT', 'permissions/%2F/conformance', { configure: '.*', write: '.*', read: '.*' }],
      ['PUT', 'permissions/%2F/conformance', { configure: '.*', write: '.*', read: '' }],
      ['PUT', 'permissions/%2F/conformance', { configure: '.*', write: '.*' }],
      ['PUT', 'permissions/nope/conformance', { configure: '.*', write: '.*', read: '.*' }],
      ['PUT', 'permissions/%2F/nope', { configure: '.*', write: '.*', read: '.*' }],
      ['DELETE', 'permissions/%2F/conformance'],
      ['DELETE', 'permissions/%2F/conformance'],
      [
        'PUT',
        'topic-permissions/%2F/conformance',
        { exchange: 'amq.topic', write: '^a', read: '.*' },
      ],
      ['PUT', 'topic-permissions/%2F/conformance', { write: '^a', read: '.*' }],
      ['GET', 'topic-permissions/%2F/conformance'],
      ['DELETE', 'topic-permissions/%2F/conformance'],
      ['GET', 'topic-permissions/%2F/conformance'],
    ],
    [['DELETE', user]],
  ),
  {
    name: 'management: who may do what, by tags',
    run: async (api) => {
      const results: unknown[] = [];
      for (const tags of ['', 'management', 'policymaker', 'monitoring', 'administrator']) {
        await api('PUT', user, { password: 'p', tags });
        await api('PUT', 'permissions/%2F/conformance', {
          configure: '^mine',
          write: '^mine',
          read: '^mine',
        });
        const as = 'conformance:p';
        const answers = await statuses(api, [
          ['GET', 'whoami', undefined, as],
          ['GET', 'overview', undefined, as],
          ['GET', 'nodes', undefined, as],
          ['GET', 'users', undefined, as],
          ['GET', 'permissions', undefined, as],
          ['GET', 'vhosts', undefined, as],
          ['PUT', vhost, undefined, as],
          ['DELETE', vhost, undefined, as],
          ['GET', 'policies', undefined, as],
          ['PUT', policy, { pattern: '^nope', definition: { 'max-length': 1 } }, as],
          ['DELETE', policy, undefined, as],
          ['PUT', 'queues/%2F/mine', {}, as],
          ['DELETE', 'queues/%2F/mine', undefined, as],
          ['PUT', 'queues/%2F/theirs', {}, as],
          ['GET', 'definitions', undefined, as],
          ['GET', 'definitions/%2F', undefined, as],
          ['GET', 'parameters', undefined, as],
          ['GET', 'global-parameters', undefined, as],
          ['GET', 'connections', undefined, as],
          ['GET', 'consumers', undefined, as],
          ['GET', 'vhost-limits', undefined, as],
          ['GET', 'user-limits', undefined, as],
          [
            'PUT',
            'cluster-name',
            { name: 'x' },
            tags === 'administrator' ? 'conformance:wrong' : as,
          ],
          ['GET', 'health/checks/alarms', undefined, as],
        ]);
        results.push([tags, answers]);
      }
      results.push((await api('GET', 'whoami', undefined, 'nobody:nothing')).status);
      await api('DELETE', 'queues/%2F/theirs');
      await api('DELETE', user);
      return results;
    },
  },
  steps(
    'policies: made, refused, deleted',
    [
      ['GET', policy],
      [
        'PUT',
        policy,
        {
          pattern: '^conformance',
          definition: { 'max-length': 5 },
          priority: 1,
          'apply-to': 'queues',
        },
      ],
      ['PUT', policy, { pattern: '^conformance', definition: { 'max-length': 6 } }],
      ['PUT', policy, { pattern: '^conformance', definition: {} }],
      ['PUT', policy, { pattern: '^conformance', definition: { what: 5 } }],
      ['PUT', policy, { pattern: '^conformance', definition: { 'max-length': 'five' } }],
      ['PUT', policy, { pattern: '^conformance', definition: { 'max-length': -1 } }],
      ['PUT', policy, { pattern: '^conformance', definition: { 'message-ttl': -1 } }],
      ['PUT', policy, { pattern: '^conformance', definition: { expires: 0 } }],
      ['PUT', policy, { pattern: '^conformance', definition: { overflow: 'what' } }],
      ['PUT', policy, { pattern: '^conformance', definition: { 'dead-letter-exchange': 5 } }],
      [
        'PUT',
        policy,
        { pattern: '^conformance', definition: { 'max-length': 5 }, 'apply-to': 'what' },
      ],
      [
        'PUT',
        policy,
        { pattern: '^conformance', definition: { 'max-length': 5 }, priority: 'high' },
      ],
      ['PUT', policy, { definition: { 'max-length': 5 } }],
      ['PUT', policy, { pattern: '^conformance' }],
      [
        'PUT',
        'policies/nope/conformance',
        { pattern: '^conformance', definition: { 'max-length': 5 } },
      ],
      ['DELETE', policy],
      ['DELETE', policy],
    ],
    [['DELETE', policy]],
  ),
  steps(
    'operator policies: made, refused, deleted',
    [
      ['PUT', operatorPolicy, { pattern: '^conformance', definition: { 'max-length': 5 } }],
      [
        'PUT',
        operatorPolicy,
        { pattern: '^conformance', definition: { 'dead-letter-exchange': 'x' } },
      ],
      ['GET', operatorPolicy],
      ['DELETE', operatorPolicy],
      ['DELETE', operatorPolicy],
    ],
    [['DELETE', operatorPolicy]],
  ),
  steps(
    'limits of virtual hosts and users',
    [
      ['PUT', vhost],
      ['PUT', 'vhost-limits/conformance/max-queues', { value: 1 }],
      ['PUT', 'queues/conformance/one', {}],
      ['PUT', 'queues/conformance/two', {}],
      ['PUT', 'vhost-limits/conformance/what', { value: 1 }],
      ['PUT', 'vhost-limits/conformance/max-queues', { value: 'many' }],
      ['DELETE', 'vhost-limits/conformance/max-queues'],
      ['PUT', user, { password: 'p', tags: '' }],
      ['PUT', 'user-limits/conformance/max-connections', { value: 3 }],
      ['PUT', 'user-limits/conformance/what', { value: 3 }],
      ['DELETE', 'user-limits/conformance/max-connections'],
    ],
    [
      ['DELETE', vhost],
      ['DELETE', user],
    ],
  ),
  steps('parameters', [
    ['GET', 'parameters/what'],
    ['PUT', 'parameters/what/%2F/p', { value: 1 }],
    ['GET', 'parameters/what/%2F/p'],
    ['DELETE', 'parameters/what/%2F/p'],
    ['PUT', 'global-parameters/conformance', { value: { a: [1, 'x'] } }],
    ['GET', 'global-parameters/conformance'],
    ['DELETE', 'global-parameters/conformance'],
    ['DELETE', 'global-parameters/conformance'],
    ['GET', 'global-parameters/conformance'],
  ]),
  steps('paths and methods that are not there', [
    ['GET', 'what'],
    ['POST', 'overview', {}],
    ['DELETE', 'overview'],
    ['GET', 'connections/nope'],
    ['DELETE', 'connections/nope'],
    ['GET', 'channels/nope'],
    ['GET', 'consumers/nope'],
    ['GET', 'vhosts/nope/permissions'],
    ['PUT', 'queues/%2F', {}],
    ['GET', 'exchanges/nope'],
  ]),
];

const imported = {
  users: [{ name: 'conformance', password: 'p', tags: 'management' }],
  vhosts: [{ name: 'conformance' }],
  permissions: [
    { user: 'conformance', vhost: 'conformance', configure: '.*', write: '.*', read: '.*' },
  ],
  policies: [
    {
      vhost: 'conformance',
      name: 'p',
      pattern: '^q',
      definition: { 'max-length': 3 },
      priority: 2,
      'apply-to': 'queues',
    },
  ],
  queues: [
    {
      name: 'q',
      vhost: 'conformance',
      durable: true,
      auto_delete: false,
      arguments: { 'x-max-priority': 3 },
    },
  ],
  exchanges: [
    {
      name: 'x',
      vhost: 'conformance',
      type: 'topic',
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: {},
    },
  ],
  bindings: [
    {
      source: 'x',
      vhost: 'conformance',
      destination: 'q',
      destination_type: 'queue',
      routing_key: 'a.*',
      arguments: {},
    },
  ],
};

const definitions: readonly ManagementScenario[] = [
  {
    name: 'management: definitions imported, twice, and exported of the virtual host',
    run: async (api) => {
      const first = (await api('POST', 'definitions', imported)).status;
      const second = (await api('POST', 'definitions', imported)).status;
      const { json } = await api('GET', 'definitions/conformance');
      const named = {
        ...pick(json, ['policies', 'exchanges', 'bindings', 'permissions']),
        queues: list(pick(json, ['queues'])['queues']).map((each) => pick(each, queueFields)),
      };
      await api('DELETE', vhost);
      await api('DELETE', user);
      return [first, second, named];
    },
  },
  steps(
    'definitions: of one virtual host, partly, wrong ones',
    [
      ['PUT', vhost],
      [
        'POST',
        'definitions/conformance',
        { queues: [{ name: 'q', durable: true, auto_delete: false, arguments: {} }] },
      ],
      ['GET', 'queues/conformance/q'],
      ['POST', 'definitions/nope', { queues: [] }],
      ['POST', 'definitions', {}],
      ['POST', 'definitions', 'no json'],
      ['POST', 'definitions', []],
      [
        'POST',
        'definitions',
        {
          queues: [{ name: 'q', vhost: 'nope', durable: true, auto_delete: false, arguments: {} }],
        },
      ],
    ],
    [['DELETE', vhost]],
  ),
];

const effects: readonly ManagementScenario[] = [
  {
    name: 'management: a policy holds for a queue that is there, and ends with it',
    run: async (api, channel) => {
      await channel.assertQueue('conformance.q', { durable: false, autoDelete: false });
      const send = async (body: string): Promise<void> => {
        channel.sendToQueue('conformance.q', Buffer.from(body));
        await channel.waitForConfirms();
      };
      await api('PUT', policy, {
        pattern: '^conformance',
        definition: { 'max-length': 2 },
        'apply-to': 'queues',
      });
      await until(
        async () => pick((await api('GET', queues)).json, ['policy']).policy === 'conformance',
      );
      for (const body of ['a', 'b', 'c']) await send(body);
      const limited = (await channel.checkQueue('conformance.q')).messageCount;
      const { json } = await api('GET', queues);
      await api('DELETE', policy);
      await until(
        async () => typeof pick((await api('GET', queues)).json, ['policy']).policy !== 'string',
      );
      await send('d');
      const free = (await channel.checkQueue('conformance.q')).messageCount;
      await channel.deleteQueue('conformance.q');
      return [limited, pick(json, ['policy', 'effective_policy_definition']), free];
    },
  },
  {
    name: 'management: of two policies the greater priority; with the operator’s the lower limit',
    run: async (api, channel) => {
      await channel.assertQueue('conformance.q', {
        durable: false,
        autoDelete: false,
        messageTtl: 9000,
      });
      const other = 'policies/%2F/conformance.other';
      await api('PUT', policy, {
        pattern: '^conformance',
        definition: { 'max-length': 9, overflow: 'reject-publish' },
        priority: 1,
      });
      await api('PUT', other, {
        pattern: '^conformance',
        definition: { 'max-length': 7, 'message-ttl': 5000 },
        priority: 2,
      });
      await api('PUT', operatorPolicy, {
        pattern: '^conformance',
        definition: { 'max-length': 8, expires: 600_000 },
      });
      await until(async () => {
        const { json } = await api('GET', queues);
        const told = pick(json, ['policy', 'operator_policy']);
        return told.policy === 'conformance.other' && told.operator_policy === 'conformance';
      });
      const { json } = await api('GET', queues);
      for (const path of [policy, other, operatorPolicy]) await api('DELETE', path);
      await channel.deleteQueue('conformance.q');
      return pick(json, ['policy', 'operator_policy', 'effective_policy_definition']);
    },
  },
  {
    name: 'management: an alternate exchange by policy',
    run: async (api, channel) => {
      await channel.assertExchange('conformance.x', 'direct', { durable: false });
      await channel.assertQueue('conformance.q', { exclusive: true });
      await channel.bindQueue('conformance.q', 'amq.fanout', '');
      const definition = { 'alternate-exchange': 'amq.fanout' };
      await api('PUT', policy, { pattern: '^conformance.x$', definition, 'apply-to': 'exchanges' });
      await until(
        async () => pick((await api('GET', exchanges)).json, ['policy']).policy === 'conformance',
      );
      channel.publish('conformance.x', 'k', Buffer.from('x'));
      await channel.waitForConfirms();
      const { messageCount } = await channel.checkQueue('conformance.q');
      await api('DELETE', policy);
      await channel.deleteExchange('conformance.x');
      await channel.deleteQueue('conformance.q');
      return messageCount;
    },
  },
  {
    name: 'management: an exclusive queue of a connection is seen, and is not to be used',
    run: async (api, channel) => {
      await channel.assertQueue('conformance.q', { exclusive: true });
      const seen = await api('GET', queues);
      const answers = await play(api, [
        ['DELETE', queues],
        ['DELETE', `${queues}/contents`],
        ['PUT', queues, {}],
        ['POST', `${queues}/get`, { count: 1, ackmode: 'ack_requeue_true', encoding: 'auto' }],
      ]);
      await channel.deleteQueue('conformance.q');
      return [pick(seen.json, ['name', 'exclusive', 'durable', 'auto_delete']), answers];
    },
  },
];

export const managementScenarios: readonly ManagementScenario[] = [
  ...topology,
  ...access,
  ...definitions,
  ...effects,
];
