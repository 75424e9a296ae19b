/**
 * What counts as how many requests: the one table. A request is one, whatever becomes of it; guessing costs more, so that
 * whoever tries keys, tokens or ids one after the other is slowed long before it finds one.
 *
 * What is beyond one is charged when the guess has failed, on the count that the request was admitted on: a known key's
 * (or customer's) own plan, else the client's address. It is charged if as much is left; nobody's count goes below zero, so
 * that a failure delays its caller for a minute and some seconds at most.
 */
export const weights = {
  request: 1,
  /** A key that core was asked about, and does not know. One that is known to be none counts as a request. */
  unknownKey: 5,
  /** A token that was verified, and is none: most are only too old, and none can be guessed. */
  badToken: 2,
  /** 404 from a route that looks something up by id. */
  notFound: 5,
  /** A gift card's code that is none of the merchant's, or a wrong PIN. */
  wrongCode: 20,
} as const;

/** What is charged on top of the request itself. */
export function surcharge(guess: Exclude<keyof typeof weights, 'request'>): number {
  return weights[guess] - weights.request;
}
