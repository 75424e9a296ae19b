/**
 * Step ①f: what the platform thinks of an anonymous caller, against the operator's policy. Off unless configured.
 *
 * It runs after admission and before the key is asked for: a request that a known key vouches for is exempt, a made-up
 * key exempts nobody, and what is refused here has been counted on its address. A caller of whom the platform says
 * nothing passes: the policy is about what is known. A Worker cannot present a challenge; the zone's rules can
 * (deploy/waf/), and come first.
 *
 * Scores are Cloudflare's: 1 (surely automated) to 99 (surely human); https://developers.cloudflare.com/bots/.
 */
import { type Exchange, refuse, type Step } from './exchange.ts';
import type { BotPolicy } from './surface-config.ts';

/** No step at all while nothing is configured. */
export function botSteps(policy: BotPolicy): readonly Step[] {
  const isOff = policy.scoreMin === 0 && policy.blockedAsns.size === 0 && policy.blockedCountries.size === 0;
  return isOff ? [] : [(exchange) => judge(policy, exchange)];
}

function judge(policy: BotPolicy, exchange: Exchange): ReturnType<Step> {
  if (exchange.grant !== null) return undefined;
  const caller = exchange.info.caller?.() ?? {};
  if (caller.asn !== undefined && policy.blockedAsns.has(caller.asn)) return refuse(exchange, 'network_blocked');
  if (caller.country !== undefined && policy.blockedCountries.has(caller.country)) {
    return refuse(exchange, 'network_blocked');
  }
  const isSuspect = caller.botScore !== undefined && caller.botScore < policy.scoreMin && !caller.isVerifiedBot;
  return isSuspect ? refuse(exchange, 'bot_suspected') : undefined;
}
