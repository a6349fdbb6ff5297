// ListGroups 0-5. Version 4 brings the filter of states (KIP-518), 5 that of types (KIP-848): names in any case, of
// which one must fit; an empty list lets all pass.
import { errorCodes } from '../error-codes.ts';
import { classicGroupType, groupStateNames } from '../group-states.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function listGroups(
  { broker }: HandlerContext,
  { statesFilter, typesFilter }: RequestOf<'ListGroups'>,
): ResponseInput<'ListGroups'> {
  const passesState = createFilter(statesFilter);
  const groups = createFilter(typesFilter)(classicGroupType)
    ? broker.listGroupCoordinators().flatMap((coordinator) => coordinator.list())
    : [];
  return {
    errorCode: errorCodes.NONE,
    groups: groups
      .map(({ groupId, protocolType, state }) => ({
        groupId,
        protocolType,
        groupState: groupStateNames[state],
        groupType: classicGroupType,
      }))
      .filter(({ groupState }) => passesState(groupState)),
  };
}

function createFilter(names: readonly string[]): (name: string) => boolean {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  return (name) => wanted.size === 0 || wanted.has(name.toLowerCase());
}
