/** Who acts, as edge and core call it: an API key's id, the `sub` of a token, or one of the names that are ours. */

/** What a subject may look like. */
export const subjectForm = /^[A-Za-z0-9-]{1,64}$/;

export const edgeSubject = 'edge';
export const coreSubject = 'core';
export const publicSubject = 'public';
export const operatorSubject = 'operator';
/** Who these are is ours to say: no customer can be called so. */
export const reservedSubjects: ReadonlySet<string> = new Set([
  edgeSubject,
  coreSubject,
  publicSubject,
  operatorSubject,
]);
