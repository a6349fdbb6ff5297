import { BrokerError, type Policy } from '../../../../broker/index.ts';
import { missing, validationFailed } from '../api-error.ts';
import {
  type ApiContext,
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  noContent,
  ok,
  putReply,
} from '../api.ts';
import { listReply } from '../listing.ts';
import { readPolicy, showPolicy } from '../policy-definition.ts';
import { enter, lookInto, visibleNamespaces } from '../vhost-access.ts';

/** Stores a policy and puts it in force; what cannot be is told as RabbitMQ tells it. */
export async function putPolicy({ services }: ApiContext, policy: Policy): Promise<void> {
  try {
    await services.access.putPolicy(policy);
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'config-invalid') throw error;
    throw validationFailed(`pattern should be regular expression but is invalid: ${error.message}`);
  }
}

function show(policies: readonly Policy[], { query }: ApiRequest): ApiReply {
  return listReply(policies.map(showPolicy), query);
}

function routesFor(root: string, isOperator: boolean): readonly ApiRoute[] {
  const all = ({ services }: ApiContext): Policy[] => services.access.listPolicies({ isOperator });
  const list = (context: ApiContext, request: ApiRequest): ApiReply => {
    const visible = visibleNamespaces(context, request);
    return show(
      all(context).filter(({ namespace }) => visible.has(namespace)),
      request,
    );
  };

  const listOfVhost = (context: ApiContext, request: ApiRequest): ApiReply => {
    const namespace = lookInto(context, request);
    return show(
      all(context).filter((policy) => policy.namespace === namespace),
      request,
    );
  };

  const find = (context: ApiContext, namespace: string, request: ApiRequest): Policy => {
    const { name } = request.params;
    const found = all(context).find((one) => one.namespace === namespace && one.name === name);
    if (found === undefined) throw missing();
    return found;
  };

  const describe = (context: ApiContext, request: ApiRequest): ApiReply =>
    ok(showPolicy(find(context, lookInto(context, request), request)));

  const put = async (context: ApiContext, request: ApiRequest): Promise<ApiReply> => {
    const namespace = enter(context, request);
    const name = request.params['name'] ?? '';
    const policy = readPolicy(await request.readBody(), { namespace, name, isOperator });
    const isNew = !all(context).some((one) => one.namespace === namespace && one.name === name);
    await putPolicy(context, policy);
    await context.services.policies.apply();
    return putReply(isNew);
  };

  const remove = async (context: ApiContext, request: ApiRequest): Promise<ApiReply> => {
    const { namespace, name } = find(context, enter(context, request), request);
    await context.services.access.deletePolicy(namespace, name, isOperator);
    await context.services.policies.apply();
    return noContent;
  };

  const audience = isOperator ? 'administrator' : 'policymaker';
  const one = `${root}/{vhost}/{name}`;
  return [
    { method: 'GET', path: root, audience: 'management', handle: list },
    { method: 'GET', path: `${root}/{vhost}`, audience: 'management', handle: listOfVhost },
    { method: 'GET', path: one, audience: 'management', handle: describe },
    { method: 'PUT', path: one, audience, handle: put },
    { method: 'DELETE', path: one, audience, handle: remove },
  ];
}

export const policyRoutes: readonly ApiRoute[] = [
  ...routesFor('/api/policies', false),
  ...routesFor('/api/operator-policies', true),
];
