import { vhostOf } from '../vhost.ts';
import { badRequest, validationFailed } from './api-error.ts';
import type { ApiContext } from './api.ts';
import { isObject, type JsonObject } from './body.ts';
import { print, readPolicy, showPolicyBasics } from './policy-definition.ts';
import { checkPluginParameter, isPluginComponent } from './plugin-parameters.ts';
import { parseStored } from './shown-fields.ts';

/*
 * RabbitMQ keeps vhosts' limits and operators' policies as parameters. Here they live where the broker looks for them, and are
 * shown and taken as parameters, too.
 */

export interface ShownParameter extends JsonObject {
  readonly value: unknown;
  readonly vhost: string;
  readonly component: string;
  readonly name: string;
}

export const limitsComponent = 'vhost-limits';
const limitsName = 'limits';
export const operatorComponent = 'operator_policy';

/** Where parameters without a vhost are kept, which no component may be called. */
export const globalComponent = 'global-parameter';

/** Names of a vhost's limits, there and here. */
const limitNames: ReadonlyArray<readonly [theirs: string, ours: string]> = [
  ['max-connections', 'connections'],
  ['max-queues', 'queues'],
];

export function listParameters({ services }: ApiContext, namespace?: string): ShownParameter[] {
  const { access } = services;
  const kept = access
    .listParameters(undefined, namespace)
    .filter(({ component }) => component !== globalComponent)
    .map(
      ({ component, namespace: place, name, value }): ShownParameter => ({
        value: parseStored(value),
        vhost: vhostOf(place),
        component,
        name,
      }),
    );
  const operators = access
    .listPolicies({ isOperator: true, ...(namespace === undefined ? {} : { namespace }) })
    .map((policy): ShownParameter => {
      const { name: _name, ...value } = showPolicyBasics(policy);
      return {
        value,
        vhost: vhostOf(policy.namespace),
        component: operatorComponent,
        name: policy.name,
      };
    });
  const limits = access
    .listNamespaces()
    .filter(({ name }) => namespace === undefined || name === namespace)
    .map(({ name, limits: values }) => ({ name, value: showLimits(values) }))
    .filter(({ value }) => Object.keys(value).length > 0)
    .map(
      ({ name, value }): ShownParameter => ({
        value,
        vhost: vhostOf(name),
        component: limitsComponent,
        name: limitsName,
      }),
    );
  return [...kept, ...operators, ...limits];
}

/** Throws an ApiError. */
export async function putParameter(
  { services }: ApiContext,
  component: string,
  namespace: string,
  name: string,
  value: unknown,
): Promise<void> {
  if (component === limitsComponent) {
    if (!isObject(value)) throw validationFailed('limits should be an object');
    await putLimits(services, namespace, readLimits(value));
  } else if (component === operatorComponent) {
    if (!isObject(value)) throw badRequest(['not_a_map', 'value']);
    await services.access.putPolicy(readPolicy(value, { namespace, name, isOperator: true }));
  } else if (isPluginComponent(component)) {
    checkPluginParameter(component, name, value);
    await services.access.putParameter(component, namespace, name, JSON.stringify(value));
  } else throw validationFailed(`component ${component} not found`);
}

export async function deleteParameter(
  { services }: ApiContext,
  component: string,
  namespace: string,
  name: string,
): Promise<void> {
  if (component === limitsComponent) await putLimits(services, namespace, {});
  else if (component === operatorComponent) {
    await services.access.deletePolicy(namespace, name, true);
  } else await services.access.deleteParameter(component, namespace, name);
}

export async function putLimits(
  { access }: ApiContext['services'],
  namespace: string,
  limits: Record<string, number>,
): Promise<void> {
  const known = access.findNamespace(namespace);
  if (known === undefined) return;
  const { name, description, tags, attributes } = known;
  await access.putNamespace({ name, description, tags, attributes, limits });
}

/** In RabbitMQ's words. */
export function showLimits(limits: Readonly<Record<string, number>>): Record<string, number> {
  const shown: Record<string, number> = {};
  for (const [theirs, ours] of limitNames) {
    const value = limits[ours];
    if (value !== undefined) shown[theirs] = value;
  }
  return shown;
}

/** From RabbitMQ's words. Throws an ApiError. */
export function readLimits(limits: JsonObject): Record<string, number> {
  const read: Record<string, number> = {};
  for (const [name, value] of Object.entries(limits)) {
    const known = limitNames.find(([theirs]) => theirs === name);
    if (known === undefined) {
      throw validationFailed(`Unrecognised terms [{${print(name)},${print(value)}}] in limits`);
    }
    const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
      throw validationFailed(`${name} should be a number, actually was ${print(value)}`);
    }
    read[known[1]] = number;
  }
  return read;
}
