import type { Registration } from '../handler.ts';

/** Every API that the door answers: one file each, `register('Name', [lowest, highest version], handler)`. */
export const registrations: readonly Registration[] = [];
