/** The door of contracts: what edge, core, actors, load tests and tools agree on. Imports nothing of ours. */
export * from './bodies.ts';
export * as bulk from './bulk.ts';
export * as catalog from './catalog.ts';
export * from './events.ts';
export * from './generations.ts';
export * from './ids.ts';
export * from './json.ts';
export * from './limits.ts';
export * as merchants from './merchants.ts';
export * as movements from './movements.ts';
export * from './problems.ts';
export * as revocations from './revocations.ts';
export * from './route-match.ts';
export * from './routes.ts';
export * from './signature.ts';
export * from './validation.ts';
export * as wallets from './wallets.ts';
