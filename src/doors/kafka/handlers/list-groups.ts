// ListGroups 0-5. Version 4 brings the filter of states (KIP-518), 5 that of types (KIP-848): names in any case, of
// which one must fit; an empty list lets all pass.
import { errorCodes } from '../error-codes.ts';
import {
  classicGroupType,
  consumerGroupType,
  groupStateNames,
  shareGroupType,
  streamsGroupType,
} from '../group-states.ts';
import type { HandlerContext } from '../handler.ts';
import type { RequestOf, ResponseInput } from '../wire/index.ts';

export function listGroups(
  { broker, door }: HandlerContext,
  { statesFilter, typesFilter }: RequestOf<'ListGroups'>,
): ResponseInput<'ListGroups'> {
  const passesState = createFilter(statesFilter);
  const passesType = createFilter(typesFilter);
  const consumer = broker
    .listGroupCoordinators()
    .flatMap((coordinator) => coordinator.list())
    // The coordinator knows the offsets of streams groups, and calls them empty.
    .filter(({ groupId }) => !door.streamsGroups.has(groupId))
    .map(({ groupId, isManaged, protocolType, state }) => ({
      groupId,
      protocolType,
      groupState: groupStateNames[state],
      groupType: isManaged ? consumerGroupType : classicGroupType,
    }))
    .filter(({ groupType }) => passesType(groupType));
  const share = (passesType(shareGroupType) ? door.shareGroups.list() : []).map(
    ({ groupId, state }) => ({
      groupId,
      protocolType: shareGroupType,
      groupState: state,
      groupType: shareGroupType,
    }),
  );
  const streams = (passesType(streamsGroupType) ? door.streamsGroups.list() : []).map(
    ({ groupId, state }) => ({
      groupId,
      protocolType: streamsGroupType,
      groupState: state,
      groupType: streamsGroupType,
    }),
  );
  return {
    errorCode: errorCodes.NONE,
    groups: [...consumer, ...share, ...streams].filter(({ groupState }) => passesState(groupState)),
  };
}

function createFilter(names: readonly string[]): (name: string) => boolean {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  return (name) => wanted.size === 0 || wanted.has(name.toLowerCase());
}
