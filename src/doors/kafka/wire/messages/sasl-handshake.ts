import { api, array, int16, string, struct } from '../schema.ts';

export const saslHandshake = api({
  key: 17,
  versions: [0, 1],
  request: struct({ mechanism: string() }),
  response: struct({ errorCode: int16(), mechanisms: array(string()) }),
});
