/**
 * What differs from run to run in an example, replaced by what does not: ids by the order in which they appear, times by how far
 * they are from now, secrets and other random texts by what they look like.
 */

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g;
const MOMENT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const DATE = /^\d{4}-\d\d-\d\d$/;
const API_KEY = /lp_live_[A-Za-z0-9_-]+/g;
const DAY_MS = 86_400_000;
/** Noon of the day that every example happens on. */
const NOON_MS = Date.UTC(2026, 0, 15, 12);

/** Random texts, by the member that has them. */
const shown: Readonly<Record<string, string>> = {
  prefix: 'lp_live_Q7xT',
  next_cursor: 'WyIwMTliYyJd',
  pin: '493028',
  last_four: '0TZC',
  address: 'core-0:7070',
  hash: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  // A key on the curve, and a card that was encrypted to it.
  x: 'weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ',
  y: 'e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck',
  protected:
    'eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSIsImVwayI6eyJrdHkiOiJFQyIsImNydiI6IlAtMjU2IiwieCI6IjA2VHJpMHdkTDIyY0NvVlB1M2RSQVBFOG9OSWtuZjJoOXA4RW93V2ZvZVkiLCJ5IjoieGpEa1JyQi1vOUtrUHg1RWRmbDB4ZzBwWnZ4cEE1RFktYldaYlBVR2pudyJ9fQ',
  iv: 'ezXsYTmKlH-cn6P4',
  ciphertext:
    'ZB6dcxTwyrWiwbA7N2tvMjzRIepKtsFYbL4hqRPWI-wYHkJ7P2wmi90_57Aucd4UEMK_VybDbOGgRILMLuZ9P6kcApmLunwL_O6BLuB3IYP6g2MqOBLpNXfsW96rVDz4A_YnWAIqR4diphkhVi9S_-r4fw',
  tag: 'Hdg-UR3pBnBrDoB7baYcRg',
};

/** Counts that depend on what happened before. */
const counted: Readonly<Record<string, number>> = { batch: 4_711 };
/** Of a gift card; without the check character: of a redemption. */
const CODE = /^[0-9A-Z]{4}(-[0-9A-Z]{4}){3}(-[0-9A-Z])?$/;
/** What a reader needs of a long list. */
const ITEMS_SHOWN = 3;

export function normalised<Value>(value: Value, nowMs: number): Value {
  const ids = new Map<string, string>();
  const idOf = (id: string): string => {
    const known = ids.get(id) ?? `019bc000-0000-7000-8000-${String(ids.size + 1).padStart(12, '0')}`;
    ids.set(id, known);
    return known;
  };
  const textOf = (text: string): string => {
    if (DATE.test(text)) return dateOf(text, nowMs);
    if (CODE.test(text)) return 'K7QX-93MV-PA2D-0TZC-4'.slice(0, text.length);
    return text
      .replaceAll(MOMENT, (moment) => momentOf(moment, nowMs))
      .replaceAll(UUID, idOf)
      .replaceAll(API_KEY, 'lp_live_Q7xTexampleexampleexampleexampleexample');
  };
  const walk = (part: unknown, name: string): unknown => {
    if (typeof part === 'string') return shown[name] ?? textOf(part);
    if (typeof part === 'number') return counted[name] ?? part;
    if (Array.isArray(part)) return part.slice(0, ITEMS_SHOWN).map((each) => walk(each, ''));
    if (part === null || typeof part !== 'object') return part;
    return Object.fromEntries(Object.entries(part).map(([key, each]) => [textOf(key), walk(each, key)]));
  };
  return walk(value, '') as Value;
}

function momentOf(moment: string, nowMs: number): string {
  const atMs = Date.parse(moment);
  // The end of a day: whatever the time of day is now, it is so many days away.
  if (atMs % DAY_MS === 0) return `${dateOf(moment, nowMs)}T00:00:00.000Z`;
  return new Date(NOON_MS + Math.round((atMs - nowMs) / DAY_MS) * DAY_MS).toISOString();
}

function dateOf(date: string, nowMs: number): string {
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS;
  return new Date(NOON_MS + (Date.parse(date) - today)).toISOString().slice(0, 10);
}
