/**
 * A question of the edge's own to core, that core answers with 200 and JSON, or with 404. Whatever else comes back grants
 * nothing and refuses nothing.
 */
import type { Exchange } from './exchange.ts';
import { ownCall } from './forward.ts';
import type { Verdict } from './key-cache.ts';
import { edgeLimits } from './limits.ts';
import type { Origin } from './origin.ts';
import type { Ports } from './ports.ts';

/** @param read throws when the answer has not its shape */
export async function askCore<Granted>(
  origin: Origin,
  report: Ports['report'],
  exchange: Exchange,
  target: string,
  read: (json: unknown) => Granted,
  budgetMs: number = edgeLimits.lookUpBudgetMs,
): Promise<Verdict<Granted>> {
  const outcome = await origin.send(ownCall(exchange, target, budgetMs));
  if (!outcome.ok) return { kind: 'away' };
  const { response } = outcome;
  if (response.status === 200) {
    try {
      return { kind: 'granted', grant: read(await response.json()) };
    } catch (cause) {
      report('origin_unusable', cause);
      return { kind: 'away' };
    }
  }
  await response.body?.cancel();
  if (response.status === 404) return { kind: 'refused' };
  report('origin_unusable', new Error(`a look-up answered ${response.status}`));
  return { kind: 'away' };
}
