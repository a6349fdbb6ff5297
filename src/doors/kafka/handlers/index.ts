import { type Registration, register } from '../handler.ts';
import { apiVersions } from './api-versions.ts';
import { fetch } from './fetch.ts';
import { metadata } from './metadata.ts';
import { produce } from './produce.ts';

/** Every API that the door answers: one file each, `register('Name', [lowest, highest version], handler)`. */
export const registrations: readonly Registration[] = [
  register('Produce', [3, 13], produce),
  register('Fetch', [4, 18], fetch),
  register('Metadata', [0, 13], metadata),
  register('ApiVersions', [0, 4], apiVersions),
];
