/** Whether dist/ was built from what is in src/ now. */
export function isBuildFresh(): boolean;
