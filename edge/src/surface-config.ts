/**
 * The part of the configuration that shapes what the world sees of the edge, and what the edge tells of it: browsers'
 * origins, bots, security.txt, request logs. All of it optional, all of it off when absent.
 */
import { edgeLimits } from './limits.ts';

export interface SurfaceConfig {
  /** Browser origins that may call for every merchant. */
  readonly corsOrigins: readonly string[];
  /** Whether each merchant's own may call for it, too. With neither there is no CORS. */
  readonly merchantOrigins: boolean;
  readonly bots: BotPolicy;
  /** null: there is none. */
  readonly securityTxt: SecurityTxt | null;
  /** The share of requests that leave a line in the log, 0 to 1. */
  readonly logSampleRate: number;
}

export interface BotPolicy {
  /** Lower scores are refused; 0 refuses none. */
  readonly scoreMin: number;
  readonly blockedAsns: ReadonlySet<number>;
  /** ISO 3166-1 alpha-2, in capitals. */
  readonly blockedCountries: ReadonlySet<string>;
}

const anybody: BotPolicy = { scoreMin: 0, blockedAsns: new Set(), blockedCountries: new Set() };

export interface SecurityTxt {
  /** In order of preference. */
  readonly contacts: readonly string[];
  readonly languages: string;
  readonly policyUrl: string | null;
  /** Where the API stands to the world, an origin; null: the document does not say. */
  readonly publicUrl: string | null;
}

export const plainSurface: SurfaceConfig = {
  corsOrigins: [],
  merchantOrigins: false,
  bots: anybody,
  securityTxt: null,
  logSampleRate: 0,
};

export function parseSurface(
  bindings: Readonly<Record<string, unknown>>,
  isLocal: boolean,
  faults: string[],
): SurfaceConfig {
  return {
    corsOrigins: parseCorsOrigins(bindings['CORS_ORIGINS'], isLocal, faults),
    merchantOrigins: parseSwitch('CORS_MERCHANTS', bindings['CORS_MERCHANTS'], faults),
    bots: parseBotPolicy(bindings, faults),
    securityTxt: parseSecurityTxt(bindings, faults),
    logSampleRate: parseSampleRate(bindings['LOG_SAMPLE_RATE'], faults),
  };
}

/**
 * `https://shop.example, https://app.example:8443`: exactly as browsers write them (RFC 6454 §6.2). Plain http only
 * locally.
 */
function parseCorsOrigins(value: unknown, isLocal: boolean, faults: string[]): readonly string[] {
  if (value === undefined || value === '') return [];
  const origins = String(value)
    .split(',')
    .map((origin) => origin.trim());
  if (origins.length > edgeLimits.corsOriginsMax) {
    faults.push(`CORS_ORIGINS names more than ${edgeLimits.corsOriginsMax} origins`);
  }
  for (const origin of origins) {
    const isOrigin = URL.canParse(origin) && new URL(origin).origin === origin;
    const schemes = isLocal ? /^https?:/ : /^https:/;
    if (!isOrigin || !schemes.test(origin)) {
      faults.push(`CORS_ORIGINS: "${origin}" is not an ${isLocal ? 'http or https' : 'https'} origin without a path`);
    }
  }
  return origins;
}

/** `on` or `off`; off when absent. `CORS_MERCHANTS`: whether merchants' own origins count. */
function parseSwitch(name: string, value: unknown, faults: string[]): boolean {
  const text = String(value ?? '');
  if (!/^(?:on|off)?$/.test(text)) faults.push(`${name} is neither on nor off`);
  return text === 'on';
}

/** `BOT_SCORE_MIN` (1 to 99), `BLOCKED_ASNS` (`64496,64511`), `BLOCKED_COUNTRIES` (`AA,ZZ`; `T1` is Tor). */
function parseBotPolicy(bindings: Readonly<Record<string, unknown>>, faults: string[]): BotPolicy {
  const score = String(bindings['BOT_SCORE_MIN'] ?? '');
  if (!/^(?:[1-9][0-9]?)?$/.test(score)) faults.push('BOT_SCORE_MIN is not a number from 1 to 99');
  const asns = listOf(bindings, 'BLOCKED_ASNS', /^[1-9][0-9]{0,9}$/, 'numbers of networks', faults);
  const countries = listOf(bindings, 'BLOCKED_COUNTRIES', /^[A-Z][A-Z0-9]$/, 'countries of two letters', faults);
  return { scoreMin: Number(score), blockedAsns: new Set(asns.map(Number)), blockedCountries: new Set(countries) };
}

function listOf(
  bindings: Readonly<Record<string, unknown>>,
  name: string,
  form: RegExp,
  what: string,
  faults: string[],
): readonly string[] {
  const value = String(bindings[name] ?? '');
  if (value === '') return [];
  const items = value.split(',').map((item) => item.trim());
  if (!items.every((item) => form.test(item))) faults.push(`${name} is not a list of ${what}`);
  return items;
}

/**
 * `SECURITY_CONTACT` (`mailto:…` or `https://…`, several by commas), `SECURITY_LANGUAGES` (RFC 5646 tags; `en`),
 * `SECURITY_POLICY` (https URL), `PUBLIC_URL` (https origin).
 */
function parseSecurityTxt(bindings: Readonly<Record<string, unknown>>, faults: string[]): SecurityTxt | null {
  const text = (name: string): string => String(bindings[name] ?? '');
  const contacts = text('SECURITY_CONTACT')
    .split(',')
    .map((contact) => contact.trim())
    .filter((contact) => contact !== '');
  const languages = text('SECURITY_LANGUAGES') || 'en';
  const policyUrl = text('SECURITY_POLICY') || null;
  const publicUrl = text('PUBLIC_URL') || null;
  if (!contacts.every(isContact)) faults.push('SECURITY_CONTACT must hold mailto: addresses or https URLs');
  if (!/^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*(?:, ?[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*)*$/.test(languages)) {
    faults.push('SECURITY_LANGUAGES is not a list of language tags');
  }
  if (policyUrl !== null && !isHttps(policyUrl)) faults.push('SECURITY_POLICY is not an https URL');
  if (publicUrl !== null && !(isHttps(publicUrl) && new URL(publicUrl).origin === publicUrl)) {
    faults.push('PUBLIC_URL is not an https origin without a path');
  }
  return contacts.length === 0 ? null : { contacts, languages, policyUrl, publicUrl };
}

function isContact(contact: string): boolean {
  return isHttps(contact) || /^mailto:[^\s@,]+@[^\s@,]+$/.test(contact);
}

function isHttps(url: string): boolean {
  return !/\s/.test(url) && URL.canParse(url) && new URL(url).protocol === 'https:';
}

/** A share of the requests, from 0 to 1; 0 when absent. */
function parseSampleRate(value: unknown, faults: string[]): number {
  const text = String(value ?? '0') || '0';
  if (!/^(?:0(?:\.[0-9]{1,6})?|1(?:\.0{1,6})?)$/.test(text)) faults.push('LOG_SAMPLE_RATE is not a number from 0 to 1');
  return Number(text);
}
