/** A merchant on a test's stack, with one program and its wallets; it calls as the edge would for it. */
import assert from 'node:assert/strict';
import { merchants, wallets } from '@local-plus/contracts';
import type { z } from 'zod';
import { type Answer, type Caller, merchantCaller, operator, type SignedClient } from './stack.ts';

export class Tenant {
  readonly caller: Caller;
  readonly programId: string;
  /** Whoever serves it now: a test may start core again. */
  client: SignedClient;

  private constructor(client: SignedClient, caller: Caller, programId: string) {
    this.client = client;
    this.caller = caller;
    this.programId = programId;
  }

  static async open(client: SignedClient, program: object = {}, name = 'M'): Promise<Tenant> {
    const caller = merchantCaller(await newMerchant(client, { name }));
    return new Tenant(client, caller, await newProgram(client, caller, program));
  }

  /** The same merchant with another program. */
  async sibling(program: object = {}): Promise<Tenant> {
    return new Tenant(this.client, this.caller, await newProgram(this.client, this.caller, program));
  }

  /** A new wallet with so many points. */
  async wallet(points = 0): Promise<string> {
    const { id } = await this.made('/v1/wallets', { program_id: this.programId }, wallets.wallet);
    if (points > 0) await this.made(`/v1/wallets/${id}/earn`, { amount: points }, wallets.transaction);
    return id;
  }

  get(target: string): Promise<Answer> {
    return this.client.get(target, { caller: this.caller });
  }

  post(target: string, body: unknown, key?: string): Promise<Answer> {
    return this.client.post(target, body, { caller: this.caller, ...(key === undefined ? {} : { key }) });
  }

  /** Posts what has to succeed, and has the documented answer. */
  async made<Schema extends z.ZodType>(target: string, body: unknown, schema: Schema): Promise<z.output<Schema>> {
    return parsed(await this.post(target, body), 201, schema);
  }

  async read<Schema extends z.ZodType>(target: string, schema: Schema): Promise<z.output<Schema>> {
    return parsed(await this.get(target), 200, schema);
  }

  balance(walletId: string): Promise<wallets.WalletBalance> {
    return this.read(`/v1/wallets/${walletId}/balance`, wallets.walletBalance);
  }

  /** A wallet's whole history, oldest first. */
  async history(walletId: string): Promise<wallets.Transaction[]> {
    const pages = await allPages((cursor) =>
      this.read(`/v1/wallets/${walletId}/transactions?limit=100${cursor}`, wallets.transactionPage),
    );
    return pages.flatMap(({ data }) => data).reverse();
  }
}

/** The answer has this status and the documented shape. */
export function parsed<Schema extends z.ZodType>(answer: Answer, status: number, schema: Schema): z.output<Schema> {
  assert.equal(answer.status, status, answer.text);
  return schema.parse(answer.json);
}

/** Who the operator lets in: the id of a new merchant. */
export async function newMerchant(client: SignedClient, merchant: object = {}): Promise<string> {
  const answer = await client.post('/v1/merchants', { name: 'M', ...merchant }, { caller: operator });
  return parsed(answer, 201, merchants.merchant).id;
}

const PAGES_MAX = 1_000;

/**
 * Every page of a list, in order.
 * @param read the page that this part of a query asks for: none, then `&cursor=…`
 */
export async function allPages<Page extends { readonly next_cursor: string | null }>(
  read: (cursor: string) => Promise<Page>,
): Promise<Page[]> {
  const pages: Page[] = [];
  let cursor = '';
  while (pages.length < PAGES_MAX) {
    const page = await read(cursor);
    pages.push(page);
    if (page.next_cursor === null) return pages;
    cursor = `&cursor=${page.next_cursor}`;
  }
  return assert.fail(`the list does not end within ${PAGES_MAX} pages`);
}

/** Runs `count` times, at most `lanes` at once. */
export async function inLanes(count: number, lanes: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (next < count) await run(next++);
    }),
  );
}

async function newProgram(client: SignedClient, caller: Caller, program: object): Promise<string> {
  const answer = await client.post('/v1/programs', { name: 'P', unit: 'PTS', ...program }, { caller });
  return parsed(answer, 201, merchants.program).id;
}
