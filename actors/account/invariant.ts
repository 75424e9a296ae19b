/** What the machine throws when it meets what cannot be. */

/** A broken invariant: the actor that meets it is discarded and loaded again. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

export function assert(holds: boolean, invariant: string): asserts holds {
  if (!holds) throw new InvariantViolation(invariant);
}
