import * as fc from 'fast-check';

/*
 * The same cases in every run, so that a failure is about what was changed; PABAL_PROPERTY_SEED=NUMBER looks at others,
 * and a failure names the seed and the path that repeat it.
 */
fc.configureGlobal({ seed: Number(process.env['PABAL_PROPERTY_SEED'] ?? 1) });

export * from 'fast-check';
