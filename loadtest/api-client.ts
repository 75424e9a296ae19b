/** Creates things through the edge, as their owner would: each POST with an Idempotency-Key, the answer's shape checked. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { limits } from './limits.ts';

export interface ApiClient {
  /** POSTs and returns the body of a success. Throws when the answer is none, or not of this shape. */
  post<Schema extends z.ZodType>(path: string, body: object | null, schema: Schema): Promise<z.infer<Schema>>;
  /** GETs and returns the body of a success. Throws like `post`. */
  get<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.infer<Schema>>;
  /** Only the status: for questions whose refusal is an answer. */
  status(path: string): Promise<number>;
}

export const created = z.looseObject({ id: z.uuid() });
export const createdKey = z.looseObject({ id: z.uuid(), key: z.string() });

/**
 * @param token an API key, a customer's token, or the operator's
 * @param address of the client, as a proxy in front would vouch for it; where the requests really come from when absent
 */
export function createApiClient(edgeUrl: string, token: string, address?: string): ApiClient {
  const caller = {
    authorization: `Bearer ${token}`,
    ...(address === undefined ? {} : { 'cf-connecting-ip': address }),
  };
  const send = (path: string, init: RequestInit): Promise<Response> =>
    fetch(edgeUrl + path, { ...init, signal: AbortSignal.timeout(limits.requestMs) });
  const bodyOf = async (what: string, response: Response): Promise<unknown> => {
    const text = await response.text();
    if (!response.ok) throw new Error(`${what} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  };
  return {
    async post(path, body, schema) {
      const headers = { ...caller, 'idempotency-key': randomUUID(), 'content-type': 'application/json' };
      const response = await send(path, { method: 'POST', headers, body: body === null ? null : JSON.stringify(body) });
      return schema.parse(await bodyOf(`POST ${path}`, response));
    },
    async get(path, schema) {
      return schema.parse(await bodyOf(`GET ${path}`, await send(path, { headers: caller })));
    },
    async status(path) {
      const response = await send(path, { headers: caller });
      await response.arrayBuffer();
      return response.status;
    },
  };
}
