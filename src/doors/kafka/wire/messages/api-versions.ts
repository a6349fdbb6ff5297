import { api, array, boolean, int16, int32, int64, string, struct } from '../schema.ts';

/** The response keeps the header of version 0 whatever its version, so that any client can read it (KIP-511). */
export const apiVersions = api({
  key: 18,
  versions: [0, 4],
  flexibleSince: 3,
  request: struct({
    clientSoftwareName: string({ since: 3, ignorable: true }),
    clientSoftwareVersion: string({ since: 3, ignorable: true }),
  }),
  response: struct({
    errorCode: int16(),
    apiKeys: array(struct({ apiKey: int16(), minVersion: int16(), maxVersion: int16() })),
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    supportedFeatures: array(struct({ name: string(), minVersion: int16(), maxVersion: int16() }), {
      since: 3,
      ignorable: true,
      tag: 0,
    }),
    finalizedFeaturesEpoch: int64({ since: 3, default: -1, ignorable: true, tag: 1 }),
    finalizedFeatures: array(
      struct({ name: string(), maxVersionLevel: int16(), minVersionLevel: int16() }),
      { since: 3, ignorable: true, tag: 2 },
    ),
    zkMigrationReady: boolean({ since: 3, ignorable: true, tag: 3 }),
  }),
});
