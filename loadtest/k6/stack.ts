/**
 * Where the traffic goes: what `npm start` wrote into stack.json, read once for all virtual users.
 *
 * Variables: `LP_STACK` (absolute path of stack.json), `LP_RUN` (the name of this run: it begins every idempotency key).
 * `npm run load` sets both; by hand: `k6 run -e LP_STACK=$PWD/.local/stack.json -e LP_RUN=mine loadtest/k6/smoke.ts`.
 */
import { SharedArray } from 'k6/data';

interface Address {
  readonly edge_url: string;
  readonly api_key: string;
}

function variable(name: string): string {
  const value = __ENV[name];
  if (value === undefined || value === '') throw new Error(`the variable ${name} is missing`);
  return value;
}

const stackFile = variable('LP_STACK');
const addresses = new SharedArray<Address>('address', () => {
  const { edge_url, api_key } = JSON.parse(open(stackFile)) as Address;
  return [{ edge_url, api_key }];
});
const address = addresses[0];
if (address === undefined) throw new Error(`${stackFile} has no address`);

/** Begins every idempotency key; what follows is a dot and the rest. */
export const run = variable('LP_RUN');
export const edgeUrl = address.edge_url;
export const authorization = `Bearer ${address.api_key}`;
/** The first one is the hot one. */
export const walletIds = new SharedArray<string>('wallets', () => {
  return (JSON.parse(open(stackFile)) as { wallet_ids: string[] }).wallet_ids;
});
