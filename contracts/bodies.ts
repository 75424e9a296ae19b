/**
 * How the bodies of a route travel, and what edge and core both check of a request before they read one: RFC 8259 JSON,
 * or lines of it (NDJSON).
 */
import { limits } from './limits.ts';

export type BodyFormat = 'json' | 'ndjson';

export interface BodyRules {
  readonly mediaType: string;
  /** JSON has no charset but UTF-8 (RFC 8259 §11). */
  readonly accepts: RegExp;
  /** A larger body answers 413. */
  readonly bytesMax: number;
  /** How long the origin may work on one request. */
  readonly budgetMs: number;
  /** How much longer its answer may be under way. */
  readonly answerGraceMs: number;
}

export const bodyRules: Readonly<Record<BodyFormat, BodyRules>> = {
  json: {
    mediaType: 'application/json',
    accepts: /^application\/json[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i,
    bytesMax: limits.bodyBytesMax,
    budgetMs: limits.requestBudgetMs,
    answerGraceMs: 0,
  },
  ndjson: {
    mediaType: 'application/x-ndjson',
    accepts: /^application\/x-ndjson[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i,
    bytesMax: limits.bulkBytesMax,
    budgetMs: limits.bulkBudgetMs,
    answerGraceMs: limits.bulkAnswerGraceMs,
  },
};
