/** What the scenarios send is what they promise: shares, the hot wallet, burns that are covered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { burnLag, hotWalletIndex, isReplay, planRead, planWrite } from './k6/plan.ts';

const walletCount = 10_000;
const count = 30_000;
const writes = Array.from({ length: count }, (_, n) => planWrite(n, walletCount));

test('60 % of the writes are earns, 5 % go to the hot wallet, 1 % are replays', () => {
  const later = writes.slice(burnLag);
  const share = (matches: number): number => Math.round((matches / later.length) * 100);
  assert.equal(share(later.filter(({ kind }) => kind === 'earn').length), 60);
  assert.equal(share(later.filter(({ walletIndex }) => walletIndex === hotWalletIndex).length), 5);
  assert.equal(share(later.filter((_, n) => isReplay(n)).length), 1);
});

test('sent in order, burns are covered, but for the one write of 500 that asks for too much', () => {
  const balances = new Map<number, number>();
  let refused = 0;
  for (const { kind, walletIndex, amount } of writes) {
    const balance = balances.get(walletIndex) ?? 0;
    if (kind === 'earn') balances.set(walletIndex, balance + amount);
    else if (amount <= balance) balances.set(walletIndex, balance - amount);
    else refused++;
  }
  assert.equal(refused, count / 500 - 1);
});

test('every wallet is among the targets about equally often', () => {
  const hits = new Map<number, number>();
  for (const { walletIndex } of writes) hits.set(walletIndex, (hits.get(walletIndex) ?? 0) + 1);
  hits.delete(hotWalletIndex);
  assert.ok(hits.size > 0.9 * walletCount * (1 - Math.exp(-2)), `${hits.size} wallets`);
  assert.ok(Math.max(...hits.values()) < 20);
  for (const index of hits.keys()) assert.ok(index > 0 && index < walletCount);
});

test('a tenth of the reads is the catalog', () => {
  const reads = Array.from({ length: count }, (_, n) => planRead(n, walletCount));
  assert.equal(reads.filter(({ walletIndex }) => walletIndex === null).length, count / 10);
});
