import { api, array, boolean, int16, int32, int8, string, struct } from '../schema.ts';

export const describeConfigs = api({
  key: 32,
  versions: [1, 4],
  flexibleSince: 4,
  request: struct({
    resources: array(
      struct({
        resourceType: int8(),
        resourceName: string(),
        configurationKeys: array(string(), { nullable: 0 }),
      }),
    ),
    includeSynonyms: boolean({ default: false }),
    includeDocumentation: boolean({ since: 3 }),
  }),
  response: struct({
    throttleTimeMs: int32({ default: 0 }),
    results: array(
      struct({
        errorCode: int16(),
        errorMessage: string({ nullable: 0 }),
        resourceType: int8(),
        resourceName: string(),
        configs: array(
          struct({
            name: string(),
            value: string({ nullable: 0 }),
            readOnly: boolean(),
            configSource: int8({ default: -1, ignorable: true }),
            isSensitive: boolean(),
            synonyms: array(
              struct({ name: string(), value: string({ nullable: 0 }), source: int8() }),
              { ignorable: true },
            ),
            configType: int8({ since: 3, default: 0, ignorable: true }),
            documentation: string({ since: 3, nullable: 0, ignorable: true }),
          }),
        ),
      }),
    ),
  }),
});
