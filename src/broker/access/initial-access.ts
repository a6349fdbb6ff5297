import type { StoredAccess, StoredUser } from './access-state.ts';

export const guestName = 'guest';

/**
 * The user of a new store: `guest`, password `guest`, an administrator who may do everything in the default namespace, and
 * come from this machine only. The password is known to everybody, so its salts and hashes may stand here; a test checks
 * that they are of that password.
 */
const guest: StoredUser = {
  name: guestName,
  tags: ['administrator'],
  limits: {},
  credentials: {
    password: {
      algorithm: 'salted-sha256',
      hash: 'cGFibHkX0qyOY4ZjHlKNLXUk2zrMXIlW4z4DCBh1Cazz7C6W',
    },
    scram: {
      'sha-256': {
        salt: 'cGFiYWwtZ3Vlc3Qtc2FsdA==',
        iterations: 8192,
        storedKey: 'ys1hfUgJFhi81P3XRM0O5+m5LOn05eJzY6XPAwRYB4U=',
        serverKey: 'FodGjhBFJk2ccCqPE/jpSA9I+WvGxyzvw08bsp7G8vA=',
      },
      'sha-512': {
        salt: 'cGFiYWwtZ3Vlc3Qtc2FsdA==',
        iterations: 8192,
        storedKey:
          'yn3eQ8wr+1wqGeoduwO/cr7w4hlwrEzGb2gRhSUSCe5YvZ3A+B//VatI832/Wsqe9A1rbTfRYZzXVFv0/oL2qg==',
        serverKey:
          'lqKCpmRzryyTxDqIwc9qWgFAcVSFO+D9K/GjBzMoTWV4JnWIO4j42uC32XhYqRywirLTd/Wdi7jbLlD3E8DvIg==',
      },
    },
  },
};

/** The state before the first entry: entries of the journal are applied to it, so that it may never change. */
export const initialAccess: StoredAccess = {
  users: [guest],
  permissions: [{ user: guestName, namespace: '', configure: '.*', write: '.*', read: '.*' }],
  topicPermissions: [],
  namespaces: [
    {
      name: '',
      description: 'Default namespace',
      tags: [],
      attributes: {},
      limits: {},
      createdMs: 0,
    },
  ],
  policies: [],
  parameters: [],
};
