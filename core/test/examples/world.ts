/** What a scene can be about: a merchant of its own, and whatever of it a request needs to be there. */
import { merchants } from '@local-plus/contracts';
import * as z from 'zod';
import { type Caller, operator, type SignedClient } from '../stack.ts';
import { parsed, Tenant } from '../tenant.ts';

const made = z.looseObject({ id: z.string() });

export class World {
  readonly tenant: Tenant;
  readonly client: SignedClient;
  readonly merchantId: string;
  /** Makes what has to be there: with every scope that a key can have. */
  readonly owner: Caller;
  #euroProgram: Promise<string> | null = null;

  private constructor(client: SignedClient, tenant: Tenant) {
    this.client = client;
    this.tenant = tenant;
    this.merchantId = tenant.caller.merchantId ?? '';
    this.owner = { ...tenant.caller, scopes: merchants.keyScopes };
  }

  static async open(client: SignedClient): Promise<World> {
    return new World(client, await Tenant.open(client, { name: 'Beans' }, 'Coffee Corner'));
  }

  get programId(): string {
    return this.tenant.programId;
  }

  /** Its gift cards are of this one. */
  euroProgram(): Promise<string> {
    this.#euroProgram ??= this.make('/v1/programs', { name: 'Coffee cards', unit: 'EUR', scale: 2 });
    return this.#euroProgram;
  }

  /** Creates something, and returns its id. */
  async make(target: string, body: object, caller = this.owner): Promise<string> {
    return parsed(await this.client.post(target, body, { caller }), 201, made).id;
  }

  /** Creates what has no id of its own. */
  async create(target: string, body: object): Promise<void> {
    parsed(await this.client.post(target, body, { caller: this.owner }), 201, z.unknown());
  }

  /** Changes something that is there. */
  async change(target: string, body: object): Promise<void> {
    parsed(await this.client.post(target, body, { caller: this.owner }), 200, z.unknown());
  }

  /** A wallet with 1,200 points. */
  wallet(points = 1_200): Promise<string> {
    return this.tenant.wallet(points);
  }

  async transaction(): Promise<string> {
    return this.make(`/v1/wallets/${await this.wallet(0)}/earn`, { amount: 500 });
  }

  async hold(): Promise<string> {
    return this.make(`/v1/wallets/${await this.wallet()}/holds`, { amount: 300 });
  }

  /** A draft with one rule: a point for each euro. */
  draft(): Promise<string> {
    const base = { id: 'base', currency: 'EUR', effect: { type: 'points_per_amount', points: 1, per: 100 } };
    return this.make(`/v1/programs/${this.programId}/rules`, { rules: [base] });
  }

  async rulesInForce(): Promise<void> {
    await this.change(`/v1/programs/${this.programId}/rules/${await this.draft()}/publish`, {});
  }

  /** A published item of the catalog. */
  item(): Promise<string> {
    const body = { name: 'Coffee card', brand: 'Coffee Corner', currency: 'EUR', denominations: [1_000, 2_500] };
    return this.make('/v1/catalog', body, operator);
  }

  customer(external_id = 'crm-4711'): Promise<string> {
    const contact = { name: 'Ada Lovelace', email: 'ada@example.com', phone: '+4930123456', locale: 'de' };
    return this.make('/v1/customers', { external_id, contact });
  }

  apiKey(): Promise<string> {
    return this.make(`/v1/merchants/${this.merchantId}/api-keys`, { name: 'till 3', scopes: ['transactions:write'] });
  }
}
