import { isObject } from '../shape.ts';

const defaultRetry = {
  minDelayTarget: 20,
  maxDelayTarget: 20,
  numRetries: 3,
  numMaxDelayRetries: 0,
  numNoDelayRetries: 0,
  numMinDelayRetries: 0,
  backoffFunction: 'linear',
};
const defaultRequest = { headerContentType: 'text/plain; charset=UTF-8' };

type Members = Readonly<Record<string, unknown>>;

/** A topic's `DeliveryPolicy`, which was checked, as it is told: without what is null, and with the member that every one has. */
export function tellDeliveryPolicy(text: string): string {
  return JSON.stringify({ http: httpPolicyOf(text) });
}

/** What counts where a topic's `DeliveryPolicy` says nothing. Here nothing is delivered by it. */
export function tellEffectivePolicy(text: string | undefined): string {
  const given = httpPolicyOf(text ?? '{}');
  const http = {
    ...given,
    defaultHealthyRetryPolicy: {
      ...defaultRetry,
      ...membersOf(given['defaultHealthyRetryPolicy']),
    },
    defaultRequestPolicy: { ...defaultRequest, ...membersOf(given['defaultRequestPolicy']) },
  };
  return JSON.stringify({ http });
}

function httpPolicyOf(text: string): Members {
  const policy: unknown = JSON.parse(text);
  const http = membersOf(isObject(policy) ? policy['http'] : undefined);
  return { disableSubscriptionOverrides: false, ...http };
}

/** Those of an object that are not null. */
function membersOf(value: unknown): Members {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}
