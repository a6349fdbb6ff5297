// DescribeAcls 1-3 (KIP-140, KIP-290).
import { readAclFilter, toAcl } from '../acl-codes.ts';
import { errorCodes } from '../error-codes.ts';
import type { HandlerContext } from '../handler.ts';
import { Refusal } from '../refusal.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

type Resource = ResponseInput<'DescribeAcls'>['resources'][number];

export function describeAcls(
  { broker }: HandlerContext,
  request: RequestOf<'DescribeAcls'>,
): ResponseInput<'DescribeAcls'> {
  const filter = readAclFilter(request);
  if (filter instanceof Refusal) {
    return { errorCode: filter.errorCode, errorMessage: filter.message, resources: [] };
  }
  const resources = new Map<string, Resource & { acls: Array<Resource['acls'][number]> }>();
  for (const rule of filter === undefined ? [] : broker.access.listRules(filter)) {
    const { resourceType, resourceName, patternType, ...acl } = toAcl(rule);
    const key = `${resourceType} ${patternType} ${resourceName}`;
    const known = resources.get(key);
    if (known !== undefined) known.acls.push(acl);
    else resources.set(key, { resourceType, resourceName, patternType, acls: [acl] });
  }
  return { errorCode: errorCodes.NONE, errorMessage: null, resources: [...resources.values()] };
}
