/**
 * Tokens of the Rules language (https://developers.cloudflare.com/ruleset-engine/rules-language/). What is no token of
 * the subset is refused with its position.
 */

/** A rule that is not understood; `at` is the position of the first character that is not, from 0. */
export class RuleError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(`${message} (at ${at})`);
    this.at = at;
  }
}

export type TokenKind = 'word' | 'string' | 'number' | 'address' | 'mark' | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** Of a string: what it stands for. */
  readonly text: string;
  readonly at: number;
}

/** Cloudflare's own bound of an expression. */
export const expressionCharsMax = 4_096;

const forms: readonly (readonly [TokenKind, RegExp])[] = [
  ['address', /(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f]{0,4}:[0-9a-f:.]*:[0-9a-f:.]*)(?:\/[0-9]{1,3})?/y],
  ['number', /[0-9]{1,15}(?![\w.])/y],
  ['word', /[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*/y],
  ['string', /"(?:[^"\\]|\\["\\])*"/y],
  ['mark', /[(){}[\],]/y],
];

export function tokensOf(expression: string): readonly Token[] {
  if (expression.length > expressionCharsMax) throw new RuleError('The expression is too long', expressionCharsMax);
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(expression[at] ?? '')) at++;
    if (at >= expression.length) break;
    const token = tokenAt(expression, at);
    tokens.push({ ...token, text: token.kind === 'string' ? unquote(token.text) : token.text });
    at += token.text.length;
  }
  tokens.push({ kind: 'end', text: '', at });
  return tokens;
}

function tokenAt(expression: string, at: number): Token {
  for (const [kind, form] of forms) {
    form.lastIndex = at;
    const text = form.exec(expression)?.[0];
    if (text !== undefined) return { kind, text, at };
  }
  throw new RuleError(`This is not understood: ${JSON.stringify(expression.slice(at, at + 10))}`, at);
}

function unquote(text: string): string {
  return text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1');
}
