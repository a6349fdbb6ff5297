/** The error codes of Kafka's protocol guide that a client acts upon or explains. */
export const serverErrors = {
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  illegalGeneration: 22,
  invalidGroupId: 24,
  unknownMember: 25,
  rebalanceInProgress: 27,
  topicDenied: 29,
  groupDenied: 30,
  clusterDenied: 31,
  unsupportedSaslMechanism: 33,
  unsupportedVersion: 35,
  topicExists: 36,
  invalidPartitions: 37,
  invalidConfig: 40,
  policyViolation: 44,
  storageError: 56,
  groupNotEmpty: 68,
  groupNotFound: 69,
  memberIdRequired: 79,
} as const;

const texts: ReadonlyMap<number, string> = new Map([
  [serverErrors.offsetOutOfRange, 'the offset is outside the range of the log'],
  [serverErrors.unknownTopicOrPartition, 'there is no such topic or partition'],
  [serverErrors.leaderNotAvailable, 'the partition has no leader now; try again'],
  [serverErrors.notLeader, 'another broker leads the partition now; try again'],
  [serverErrors.requestTimedOut, 'the broker took too long'],
  [serverErrors.messageTooLarge, 'the message is larger than the topic allows'],
  [serverErrors.coordinatorLoading, 'the coordinator is loading; try again'],
  [serverErrors.coordinatorNotAvailable, 'the coordinator is not available now; try again'],
  [serverErrors.notCoordinator, 'another broker coordinates the group now; try again'],
  [serverErrors.invalidTopic, 'the topic name is not valid: use letters, digits, ".", "_" and "-"'],
  [serverErrors.illegalGeneration, 'the group has moved on without this member'],
  [serverErrors.invalidGroupId, 'the group id is not valid'],
  [serverErrors.unknownMember, 'the group does not know this member any more'],
  [serverErrors.rebalanceInProgress, 'the group is rebalancing'],
  [serverErrors.topicDenied, 'this user may not do that with the topic'],
  [serverErrors.groupDenied, 'this user may not do that with the group'],
  [serverErrors.clusterDenied, 'this user may not do that with the broker'],
  [serverErrors.unsupportedVersion, 'the broker does not know this version of the request'],
  [serverErrors.topicExists, 'a topic of this name exists already'],
  [serverErrors.invalidPartitions, 'the number of partitions is not valid'],
  [serverErrors.invalidConfig, 'a setting is not valid'],
  [serverErrors.policyViolation, 'it is against the policy of the broker'],
  [serverErrors.storageError, 'the broker cannot store now: its disk is full or has failed'],
  [serverErrors.groupNotEmpty, 'the group still has members'],
  [serverErrors.groupNotFound, 'there is no such group'],
]);

/** The server refused a request. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  /** As Kafka's protocol guide numbers them. */
  readonly code: number;

  constructor(code: number, subject: string, detail?: string | null) {
    super(`${subject}: ${detail ?? texts.get(code) ?? `the server answered with error ${code}`}`);
    this.code = code;
  }
}

/** Throws a ServerError unless `code` is 0. `subject` says what it is about: `topic "orders"`. */
export function checkError(code: number, subject: string, detail?: string | null): void {
  if (code !== 0) throw new ServerError(code, subject, detail);
}

/** The server cannot be reached, or the connection to it was lost. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}
