export type { AccessJournal, AccessParts, NamespaceContents } from './access.ts';
export { Access, anonymous } from './access.ts';
export { compilePattern } from './pattern.ts';
