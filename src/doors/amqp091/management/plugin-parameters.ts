import { validationFailed } from './api-error.ts';
import { isObject } from './body.ts';
import { print } from './policy-definition.ts';

/*
 * Parameters of RabbitMQ's plugins for federation and shovels. They are kept for tools, and nothing is done by them; what such
 * a plugin would refuse for want of something is refused here, too, in its words (`rabbit_federation_parameters`,
 * `rabbit_shovel_parameters`).
 */

/** One that names addresses of brokers, by the members that must do so. */
const addressKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ['federation-upstream', ['uri']],
  ['shovel', ['src-uri', 'dest-uri']],
]);

const setComponent = 'federation-upstream-set';

export function isPluginComponent(component: string): boolean {
  return addressKeys.has(component) || component === setComponent || component === 'federation';
}

/** Throws an ApiError for a value that the component's plugin would not take. */
export function checkPluginParameter(component: string, name: string, value: unknown): void {
  if (component === setComponent) {
    if (!Array.isArray(value)) throw validationFailed(`${name} not a list ${print(value)}`);
    for (const upstream of value) checkText(name, 'upstream', upstream);
    return;
  }
  for (const key of addressKeys.get(component) ?? []) checkAddress(name, key, value);
}

function member(name: string, key: string, value: unknown): unknown {
  if (!isObject(value)) throw validationFailed(`${name} not a list ${print(value)}`);
  const found = value[key];
  if (found === undefined) throw validationFailed(`Key "${key}" not found in ${name}`);
  return found;
}

function checkText(name: string, key: string, value: unknown): void {
  const text = member(name, key, value);
  if (typeof text !== 'string') throw notText(key, text);
}

/** A text, or a list of them. */
function checkAddress(name: string, key: string, value: unknown): void {
  const given = member(name, key, value);
  if (typeof given === 'string') return;
  if (!Array.isArray(given)) {
    throw validationFailed(`${key} should be list, actually was ${print(given)}`);
  }
  for (const one of given) if (typeof one !== 'string') throw notText(key, one);
}

function notText(key: string, value: unknown): Error {
  return validationFailed(`${key} should be binary, actually was ${print(value)}`);
}
