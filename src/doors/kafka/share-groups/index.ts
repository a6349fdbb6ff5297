export { deadLetterPrefix, findDeadLetterProblem } from './dead-letter-topic.ts';
export { applyAcknowledgements } from './acknowledgements.ts';
export { assignorName } from './share-assignor.ts';
export { ShareFetchRun } from './share-fetch-run.ts';
export { ShareGroups } from './share-groups.ts';
export { beginAt } from './share-queues.ts';
export { finalEpoch, initialEpoch } from './share-sessions.ts';
export type { ShareSession } from './share-session.ts';
