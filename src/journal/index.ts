export { chunkAlignment, chunkBytesFor, chunkHeaderBytes } from './chunk.ts';
export { FileJournal } from './file/file-journal.ts';
export type { JournalVerification, ScannedChunk } from './file/journal-scan.ts';
export { journalFileName, verifyJournal } from './file/journal-scan.ts';
export type {
  ChunkChain,
  Journal,
  JournalFile,
  JournalOpenOptions,
  ReplayedChunk,
} from './journal.ts';
export { JournalFileMissing } from './journal.ts';
