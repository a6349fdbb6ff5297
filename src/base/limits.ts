const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * Every bound of the broker, with what happens when it is reached. Configuration may lower or raise those that
 * `server/config` names; nothing grows past its bound: back-pressure first, then a retryable error.
 */
export const limits = {
  /** Journal: a chunk is closed at this size; one larger entry makes a chunk of its own. */
  chunkBytesMax: 4 * MIB,
  /** Journal: a chunk whose header claims a larger payload is taken for damaged. */
  chunkPayloadBytesMax: 256 * MIB,
  /** Journal: an append larger than this is refused with `batch-too-large`. */
  entryBytesMax: 128 * MIB,
  /** Shard: entries waiting for a chunk; beyond it appends are refused with `overloaded`, doors stop reading before. */
  pendingBytesMax: 64 * MIB,
  /** Shard: doors stop reading from their sockets while more than this is waiting to become durable. */
  pendingBytesHigh: 24 * MIB,
  /** Shard: the tail of the journal that is kept in memory for reads. */
  tailCacheBytes: 64 * MIB,
  /** Journal: a file is sealed at this size. */
  journalFileBytes: 128 * MIB,
  /** Compaction: memory for the keys of one pass of a shard, and offsets of one; what is left comes with the next pass. */
  compactionMapBytes: 64 * MIB,
  compactionOffsetsMax: 128 * MIB,
  /** Batch: records of one that is refused of which is told that they are why; of more only these. */
  invalidRecordsTold: 1000,
  /** Disk: publishes are refused below this much free space; settling and deleting still work. */
  freeBytesMin: 64 * MIB,
  /** Topic: partitions of one topic, and of one broker. */
  partitionsPerTopicMax: 10_000,
  partitionsMax: 250_000,
  /** Queue: subscriptions of one topic; queues of one broker, counted once for each of their partitions. */
  subscriptionsPerTopicMax: 10_000,
  queuePartsMax: 250_000,
  /** Queue: deduplication ids that are remembered, and their bytes; the oldest is forgotten first. */
  dedupIdsPerQueueMax: 1_000_000,
  dedupBytesPerQueueMax: 64 * MIB,
  /** Queue: messages of groups that are looked at ahead of their turn; the queue looks no further before one of them goes. */
  groupedAsideMax: 1_000_000,
  /** Groups whose messages somebody who takes several at once looks past, for more of the group that he has. */
  groupsPassedMax: 64,
  /** Dead letters that are on their way, and their bytes; the others stay in their queues for a while. */
  deadLettersMax: 20_000,
  deadLettersBytesMax: 32 * MIB,
  /** Name of a topic, queue or namespace: bytes of its UTF-8. */
  nameBytesMax: 255,
  /** Topic: characters of a name where a door's protocol limits them. */
  topicNameCharsMax: 249,
  /** Group: members of one group, groups of one broker, bytes of one commit's metadata. */
  groupMembersMax: 10_000,
  groupsMax: 100_000,
  commitMetadataBytesMax: 4096,
  /** Group: characters of an id; bytes of what all members of one group say of themselves (then `group-full`). */
  groupIdCharsMax: 32_767,
  groupMembersBytesMax: 32 * MIB,
  /** Group: topics that one member names; characters of a pattern for topics, and of the automaton that it becomes. */
  groupMemberTopicsMax: 10_000,
  /** Group: different patterns of one group (then `group-full`): all of them are tried on new topics. */
  groupPatternsMax: 32,
  /** Group: offsets that are kept without members; how long the first members wait for each other. */
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  initialRebalanceDelayMs: 100,
  topicPatternCharsMax: 1000,
  topicPatternStepsMax: 2000,
  /** Streams group: groups of one door, members of one group; names in a topology, and its bytes as it is stored. */
  streamsGroupsMax: 1000,
  streamsGroupMembersMax: 1000,
  streamsTopologyTopicsMax: 10_000,
  /** Streams group: tasks whose offsets one member tells, and its tags; further ones are passed over. */
  streamsMemberTasksMax: 10_000,
  streamsMemberTagsMax: 100,
  streamsTopologyBytesMax: 64 * 1024,
  /** Share group: members of one group, topics that a member names; sessions of one door. */
  shareGroupMembersMax: 200,
  shareMemberTopicsMax: 10_000,
  shareSessionsMax: 2000,
  /** Share group: partitions of one session; further ones are not fetched. */
  shareSessionPartitionsMax: 10_000,
  /** Configurations that one answer describes; for the things that come then it is refused. */
  describedConfigsMax: 500_000,
  /** Share group: groups that configurations were set for; a further one is refused. */
  groupConfigsMax: 10_000,
  /** Producer: ids remembered for one partition; the oldest is forgotten first. */
  producersPerPartitionMax: 10_000,
  /** Transaction: producers that may write transactional batches to one partition at once; more get `overloaded`. */
  partitionTransactionsMax: 10_000,
  /** Transaction: stretches of records of open ones that one partition tells apart; above it a purge leaves what lies between them, too. */
  partitionOpenRunsMax: 100_000,
  /** Transaction: aborted ones that one partition remembers; above it new ones are refused until records expire. */
  abortedPerPartitionMax: 1_000_000,
  /** Transaction: transactional ids of one shard; a further one gets `overloaded` until others expire. */
  transactionalIdsMax: 100_000,
  transactionalIdCharsMax: 32_767,
  /** Transaction: length of all transactional ids of one shard together; above it a further one gets `overloaded`. */
  transactionalIdsCharsMax: 16 * MIB,
  /** Transaction: partitions and groups of one; adding more is refused with `policy-refused`. */
  transactionParticipantsMax: 10_000,
  /** Transaction: the longest timeout that a producer may ask for. */
  transactionTimeoutMaxMs: 900_000,
  /** Transaction: a transactional id that was not used for so long is forgotten. */
  transactionalIdIdleMs: 7 * 24 * 3600 * 1000,
  /** Transaction: bytes and operations of one that is gathered and then committed; more is `policy-refused`. */
  transactionBytesMax: 32 * MIB,
  transactionOperationsMax: 100_000,
  /** Transaction: bytes prepared on one shard, and decisions that not everybody knows; above it `overloaded`. */
  preparedBytesMax: 64 * MIB,
  transactionsDecidedMax: 10_000,
  /** Queue: consumers that wait for messages which they asked for once; the next is answered with none. */
  queueAcquirersMax: 10_000,
  /** Queue: dead messages on their way elsewhere; the next stay where they are until some have arrived. */
  queueDyingMax: 10_000,
  /** Queue: messages passed by that nobody who is there may get; when full, the next waits for somebody who may. */
  queueAsideMax: 100_000,
  /** Queue: runs of messages that are kept as damaged; when full, the queue stands still at the next one until a purge. */
  queueDamagedRunsMax: 10_000,
  /** Queue: runs of priorities that are read again and journaled at once when it goes back to an offset. */
  queueRankRunsMax: 4096,
  /** Queues of a shard: that keep a stretch of their log in memory between rounds; the one used longest ago lets go. */
  queueWindowsMax: 64,
  /** Queues of a shard: memory of batches that these have decompressed; above it, too, the one used longest ago lets go. */
  queueUnpackedBytesMax: 64 * MIB,
  /** Queues of a shard: bytes that are read before they are wanted, where the log is not in memory; above it nothing is. */
  queueReadAheadBytesMax: 16 * MIB,
  /** Queues of a shard: changes that wait for the journal; above it nothing is given out until they are in a chunk. */
  queueChangesBytesMax: 16 * MIB,
  /** Queues of a shard: memory for changes that is kept for the next ones. */
  queueSpareChangesMax: 256,
  /** Batch: bytes that the records of one batch may have when decompressed. */
  decompressedBytesMax: 128 * MIB,
  /** Reader: blocks of journal files that several partitions are read from together. */
  blockCacheBytes: 24 * MIB,
  /** Routing: exchanges, and bindings, of one broker; one more is refused with `policy-refused`. */
  exchangesMax: 100_000,
  bindingsMax: 1_000_000,
  /** Routing: characters of an exchange's name and of a binding's key, bytes of a binding's arguments (`config-invalid`). */
  exchangeNameCharsMax: 255,
  bindingKeyCharsMax: 4096,
  bindingArgumentsBytesMax: 64 * KIB,
  /** Routing: lists and tables inside each other in arguments (`config-invalid`). */
  argumentsDepthMax: 16,
  /** Routing: memory of remembered routes; when it is full all are forgotten and found again as they are needed. */
  routeCacheBytesMax: 16 * MIB,
  /** Routing: weight of one binding of a consistent-hash exchange, and of all of them (`config-invalid`). */
  hashWeightMax: 1000,
  hashWeightSumMax: 16_384,
  /** Filter: characters of its text, conditions inside each other, wildcards of a pattern, conditions (`filter-invalid`). */
  filterCharsMax: 64 * KIB,
  filterDepthMax: 64,
  filterWildcardsMax: 100,
  filterConditionsMax: 1000,
  /** Filter: a body that is larger is not looked at and matches nothing. */
  filterBodyBytesMax: 16 * MIB,
  /** Reader: bytes of one read from disk. */
  readBytesMax: 64 * MIB,
  /** Reader: bytes of one fetch response, whatever the client asks for. */
  fetchBytesMax: 16 * MIB,
  /** Network: bytes queued for all peers together; above it each fetch is answered with one batch, and ... */
  sendQueuesBytesMax: 256 * MIB,
  /** ... no more than this waits to be written to one socket, before its requests wait and nothing more is delivered to it. */
  crowdedSendBufferBytesMax: 64 * KIB,
  /** Network: connections of one listener; the next is closed at once. */
  connectionsMax: 20_000,
  /** Network: bytes of one request frame. */
  frameBytesMax: 100 * MIB,
  /** Network: array elements of one message; one with more is refused as a breach of the protocol. */
  wireElementsMax: 1_000_000,
  /** Network: bytes of one text of a message, where its length has more than 16 bits; a longer one is such a breach, too. */
  wireTextBytesMax: 0x7fff,
  /** Network: bytes of all frames that are being assembled or handled; above it sockets are not read. */
  inFlightBytesMax: 256 * MIB,
  /** Network: requests of one connection that are being handled; above it the socket is not read. */
  inFlightRequestsMax: 64,
  /** Network: frames of one connection of a door with small frames that are handled before others have their turn. */
  framesPerTurnMax: 120,
  /** Network: requests of one connection in a second; above it the socket is not read. */
  requestsPerSecondMax: 50_000,
  /** Network: bytes waiting to be written to one socket; above it its requests wait. */
  sendBufferBytesMax: 8 * MIB,
  /** Network: a peer that takes no bytes for this long while some wait is disconnected. */
  sendStallMs: 60_000,
  /** Network: a frame that was begun must be complete after this long. */
  frameStallMs: 60_000,
  /** Network: how often files of TLS are looked at, for they may have been replaced. */
  tlsCheckMs: 10_000,
  /** Network: a connection without a request for this long is closed. */
  idleMs: 600_000,
  /** Framed doors: bytes of a frame as they are negotiated; of a frame before that. */
  smallFrameBytesMax: 128 * KIB,
  handshakeFrameBytesMax: 8 * KIB,
  /** Network: bytes of a frame of somebody who has not logged in yet, where a login may bring a token. */
  loginFrameBytesMax: 64 * KIB,
  /** Framed doors: channels of one connection as they are negotiated; one more closes the connection. */
  channelsPerConnectionMax: 2047,
  /** Framed doors: seconds between signs of life that are proposed; a peer that gives none in two of them is dropped. */
  heartbeatS: 60,
  /** Framed doors: a connection that is not opened after this long, or not closed, is dropped. */
  handshakeMs: 10_000,
  closeMs: 30_000,
  /** Framed doors: a login that failed is told, or dropped, after this long: nobody tries many passwords. */
  loginPenaltyMs: 1000,
  /** Framed doors: bytes of a message's body unless it is set otherwise (it is refused), and what may be set. */
  messageBytesMax: 16 * MIB,
  messageBytesMost: 128 * MIB,
  /** Framed doors: bytes of half-received messages of one connection's channels; above it the connection is closed. */
  partialBodiesBytesMax: 64 * MIB,
  /** Framed doors: bytes of frames that wait behind a method that is being carried out; above it the socket is not read. */
  waitingFrameBytesMax: 2 * MIB,
  /** Framed doors: a publisher that has to wait for longer is told so. */
  blockedNoticeMs: 500,
  /** Framed doors: deliveries of one channel that are not settled; above it no more are made. */
  unsettledPerChannelMax: 1_000_000,
  /** Framed doors: a delivery that is not settled for this long closes its channel. */
  unsettledMs: 1_800_000,
  /** Framed doors: consumers of one channel (the connection is closed), channels that wait for direct replies. */
  consumersPerChannelMax: 10_000,
  replyQueuesMax: 100_000,
  /** Framed doors: values of one filter over a stream; with more the consumer is refused. */
  streamFilterValuesMax: 1000,
  /** Framed doors: queues in which messages may have died by a channel's doing; above it the oldest is forgotten. */
  deathQueuesPerChannelMax: 256,
  /** Admin: connections, bytes of a request's body, messages and bytes of one browse. */
  adminConnectionsMax: 512,
  adminBodyBytesMax: 16 * MIB,
  /** Admin: lists and objects inside each other in a body; one that is nested deeper is refused. */
  jsonDepthMax: 128,
  adminBrowseMessagesMax: 1000,
  adminBrowseBytesMax: 16 * MIB,
  /** Web queues: bytes of one batch of messages, and how much longer their text may be; parameters of one request. */
  webBatchBytesMax: 1 * MIB,
  webEscapeFactor: 6,
  webParametersMax: 2000,
  /** Web queues: bytes of a request's head; with more it is refused. */
  webHeadBytesMax: 64 * KIB,
  /** Web queues: messages whose ids and digests are remembered from their senders for their receivers; a power of two. */
  webSentMessagesMax: 4096,
  /** Web queues: an idle connection is kept for so long. */
  webKeepAliveMs: 65_000,
  /** Web queues: answers and times that are remembered of one kind (the oldest is forgotten), tasks that move messages. */
  webMemoriesMax: 100_000,
  /** Web queues: bytes of answers that are remembered in case the same attempt comes again; the oldest are forgotten. */
  webMemoryBytesMax: 64 * MIB,
  webMoveTasksMax: 100,
  /** Web queues: subscriptions of one topic to queues that are not there (no more are taken; deleting a queue ends its own). */
  orphanedSubscriptionsMax: 100,
  /** Management: objects whose rates are told (those of the others are 0), times that are remembered of the totals. */
  managementSampledMax: 10_000,
  managementSamplesMax: 720,
  /** Metrics: topics and groups that have series of their own; the others are summed as `_other`. */
  metricTopicsMax: 1000,
  metricGroupsMax: 1000,
  metricQueuesMax: 1000,
  /** Message: tables and arrays inside each other in one header; one deeper is refused, or shown as text when stored. */
  fieldDepthMax: 64,
  /** Message: entries of a message's history of deaths; the oldest is forgotten. */
  deathsMax: 64,
  /** Access: users, namespaces, permissions (of both kinds), policies, parameters; one more is `policy-refused`. */
  usersMax: 100_000,
  namespacesMax: 10_000,
  permissionsMax: 200_000,
  policiesMax: 10_000,
  parametersMax: 10_000,
  /** Access: rules; one more is `policy-refused`. How many of them one entry of the journal has. */
  accessRulesMax: 100_000,
  accessRulesPerEntryMax: 100,
  /** Access: what one connection remembers of what its user may do; when it is full all is forgotten. */
  accessAnswersMax: 1000,
  /** Quotas: subjects that have one; one more is `policy-refused`. Meters of those who used something lately. */
  quotasMax: 10_000,
  quotaMetersMax: 20_000,
  /** Quotas: who used nothing may use so many seconds' worth at once. */
  quotaBurstSeconds: 10,
  /** Quotas: a peer never pauses for longer at once; what it still owes counts next time. */
  quotaPauseMsMax: 60_000,
  /** Tokens: bytes of a set of keys, keys of it that are looked at (the others are passed over). */
  tokenKeysBytesMax: 256 * KIB,
  tokenKeysMax: 100,
  /** Tokens: keys are read again after this long; after this long when one is missing; how long reading may take. */
  tokenKeysRefreshMs: 300_000,
  tokenKeysRetryMs: 10_000,
  tokenKeysReadMs: 5000,
  /** Tokens: by how much the clock of the issuer may differ. */
  tokenClockSkewMs: 30_000,
  /** Access: iterations of keys that were derived elsewhere (`config-invalid`). */
  scramIterationsMin: 4096,
  scramIterationsMax: 16_384,
  /** Access: characters of a pattern, bytes of a user's or namespace's record, a policy or a parameter (`config-invalid`). */
  patternCharsMax: 1024,
  accessEntryBytesMax: 256 * KIB,
  /** Access: bytes of a password. */
  passwordBytesMax: 1024,
  /** Access: passwords that are checked or hashed at once; others that wait for it, above which `overloaded`. */
  passwordChecksAtOnce: 2,
  passwordChecksMax: 256,
  /** Access: credentials that were proved a short while ago, and for how long; when it is full the oldest goes. */
  provedCredentialsMax: 10_000,
  provedCredentialsMs: 60_000,
  /** Access: compiled patterns, their answers, and those for policies; when it is full all are forgotten. */
  patternsCompiledMax: 10_000,
  patternAnswersMax: 10_000,
  policyAnswersMax: 10_000,
  /** Catalog: settings, forms and attributes that several queues have in common; when it is full sharing begins anew. */
  sharedValuesMax: 4096,
} as const;
