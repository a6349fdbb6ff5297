export type { AccessJournal, AccessParts, NamespaceContents } from './access.ts';
export { Access, anonymous } from './access.ts';
export { type CompiledPattern, compilePattern } from './pattern.ts';
