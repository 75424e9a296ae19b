/**
 * From an expression of the Rules language to its tree; the subset that our rules use, typed: a comparison of unlike
 * things is refused as Cloudflare refuses it, with its position.
 *
 *     or   = and  { "or" and }
 *     and  = not  { "and" not }
 *     not  = [ "not" ] ( "(" or ")" | test )
 *     test = bool field | starts_with(field, string) | value operator literal | value "in" "{" literal … "}"
 *     value = field | len(field) | lower(field)
 *
 * Operators bind as there: not, then and, then or.
 */
import { isIP } from 'node:net';
import { RuleError, type Token, tokensOf } from './lexer.ts';

export type Kind = 'text' | 'number' | 'address' | 'flag';

/** What a request may be asked for. The two names of country and network number mean the same. */
export const fields = {
  'http.host': 'text',
  'http.request.method': 'text',
  'http.request.uri': 'text',
  'http.request.uri.path': 'text',
  'ip.src': 'address',
  'ip.src.country': 'text',
  'ip.geoip.country': 'text',
  'ip.src.asnum': 'number',
  'ip.geoip.asnum': 'number',
  'cf.bot_management.score': 'number',
  'cf.bot_management.verified_bot': 'flag',
} as const satisfies Record<string, Kind>;
export type FieldName = keyof typeof fields;

const headersField = 'http.request.headers';

export type Value =
  | { readonly is: 'field'; readonly name: FieldName }
  | { readonly is: 'header'; readonly name: string }
  | { readonly is: 'len' | 'lower'; readonly of: Value };

const operators = ['eq', 'ne', 'lt', 'le', 'gt', 'ge', 'contains', 'matches'] as const;
export type Operator = (typeof operators)[number];

/** Which operators a kind has, besides `in`. */
const operatorsOf: Readonly<Record<Kind, readonly Operator[]>> = {
  text: ['eq', 'ne', 'contains', 'matches'],
  number: ['eq', 'ne', 'lt', 'le', 'gt', 'ge'],
  address: ['eq', 'ne'],
  flag: [],
};

export type Literal = string | number;

export type Expression =
  | { readonly is: 'or' | 'and'; readonly left: Expression; readonly right: Expression }
  | { readonly is: 'not'; readonly of: Expression }
  | { readonly is: 'flag'; readonly value: Value }
  | { readonly is: 'starts_with'; readonly value: Value; readonly prefix: string }
  | { readonly is: 'compare'; readonly kind: Kind; readonly value: Value; readonly by: Operator; readonly to: Literal }
  | { readonly is: 'in'; readonly kind: Kind; readonly value: Value; readonly set: readonly Literal[] };

const depthMax = 64;

export function parseRule(expression: string): Expression {
  return new Parser(tokensOf(expression)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#or();
    if (this.#peek().kind !== 'end') throw this.#unexpected('"and", "or" or the end');
    return expression;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#takes('or')) left = { is: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#takes('and')) left = { is: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    if (++this.#depth > depthMax) throw new RuleError('The expression is nested too deeply', this.#peek().at);
    const expression = this.#unary();
    this.#depth--;
    return expression;
  }

  #unary(): Expression {
    if (this.#takes('not')) return { is: 'not', of: this.#not() };
    if (!this.#takes('(')) return this.#test();
    const expression = this.#or();
    this.#expect(')');
    return expression;
  }

  #test(): Expression {
    if (this.#takes('starts_with')) return this.#startsWith();
    const { value, kind } = this.#value();
    if (kind === 'flag') return { is: 'flag', value };
    if (this.#takes('in')) return { is: 'in', kind, value, set: this.#set(kind) };
    const token = this.#peek();
    const by = operatorsOf[kind].find((operator) => operator === token.text);
    if (by === undefined) throw this.#unexpected(`"in" or one of ${operatorsOf[kind].join(', ')}`);
    this.#at++;
    const at = this.#peek().at;
    const to = this.#literal(kind);
    if (kind === 'address' && String(to).includes('/')) throw new RuleError('A range of addresses needs "in"', at);
    if (by === 'matches') requirePattern(String(to), at);
    return { is: 'compare', kind, value, by, to };
  }

  #startsWith(): Expression {
    this.#expect('(');
    const at = this.#peek().at;
    const { value, kind } = this.#value();
    if (kind !== 'text') throw new RuleError('starts_with is about text', at);
    this.#expect(',');
    const prefix = String(this.#literal('text'));
    this.#expect(')');
    return { is: 'starts_with', value, prefix };
  }

  #value(): { value: Value; kind: Kind } {
    const { text, at } = this.#peek();
    if (text === 'len' || text === 'lower') {
      if (++this.#depth > depthMax) throw new RuleError('The expression is nested too deeply', at);
      this.#at++;
      this.#expect('(');
      const inner = this.#value();
      if (inner.kind !== 'text') throw new RuleError(`${text} is about text`, at);
      this.#expect(')');
      this.#depth--;
      return { value: { is: text, of: inner.value }, kind: text === 'len' ? 'number' : 'text' };
    }
    if (text === headersField) return { value: this.#header(), kind: 'text' };
    if (!Object.hasOwn(fields, text) || this.#peek().kind !== 'word') throw this.#unexpected('a field or a function');
    this.#at++;
    const name = text as FieldName;
    return { value: { is: 'field', name }, kind: fields[name] };
  }

  /** `http.request.headers["name"][0]`: the first of that name. */
  #header(): Value {
    this.#at++;
    this.#expect('[');
    const at = this.#peek().at;
    const name = String(this.#literal('text'));
    if (name !== name.toLowerCase()) throw new RuleError('Names of headers are in lower case', at);
    for (const mark of [']', '[', '0', ']']) this.#expect(mark);
    return { is: 'header', name };
  }

  #set(kind: Kind): readonly Literal[] {
    this.#expect('{');
    const set: Literal[] = [this.#literal(kind)];
    while (!this.#takes('}')) set.push(this.#literal(kind));
    return set;
  }

  #literal(kind: Kind): Literal {
    const token = this.#peek();
    const wanted = { text: 'string', number: 'number', address: 'address', flag: 'word' } as const;
    if (token.kind !== wanted[kind] || (kind === 'address' && !isAddress(token.text))) {
      throw this.#unexpected(`a literal (${kind})`);
    }
    this.#at++;
    return kind === 'number' ? Number(token.text) : token.text;
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  /** Words and marks; a string of the same text is neither. */
  #takes(text: string): boolean {
    const token = this.#peek();
    if (token.text !== text || token.kind === 'string' || token.kind === 'end') return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#takes(text)) throw this.#unexpected(`"${text}"`);
  }

  #unexpected(wanted: string): RuleError {
    const { kind, text, at } = this.#peek();
    return new RuleError(`Here must be ${wanted}, and not ${kind === 'end' ? 'the end' : JSON.stringify(text)}`, at);
  }
}

function isAddress(text: string): boolean {
  const [address, bits] = text.split('/') as [string, string?];
  const version = isIP(address);
  return version !== 0 && (bits === undefined || Number(bits) <= (version === 4 ? 32 : 128));
}

function requirePattern(pattern: string, at: number): void {
  try {
    new RegExp(pattern, 'u');
  } catch {
    throw new RuleError('This is no regular expression', at);
  }
}
