export type { ConnectionOptions, ServerAddress, TlsOptions } from './connection.ts';
export { Connection, printServer } from './connection.ts';
export type { GroupDescription, GroupType } from './group-description.ts';
export type { GroupMemberOptions } from './group-member.ts';
export { GroupMember } from './group-member.ts';
export type {
  CommittedOffset,
  ListedGroup,
  LogClientOptions,
  PartitionOffsets,
  TopicInfo,
} from './log-client.ts';
export { LogClient } from './log-client.ts';
export type { Login, LoginMechanism } from './login.ts';
export { LoginFailed } from './login.ts';
export type { Position, ReaderOptions, RecordVisitor } from './reader.ts';
export { Reader } from './reader.ts';
export type { SenderOptions } from './sender.ts';
export { Sender } from './sender.ts';
export { ConnectionLost, ServerError, serverErrors } from './server-error.ts';
