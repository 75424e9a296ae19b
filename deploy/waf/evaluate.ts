/**
 * Does a request meet a rule? By the meaning that Cloudflare documents: a field that is absent makes every test of it
 * false (and `not` of that true), text is compared with case, addresses by value.
 */
import { BlockList, isIP } from 'node:net';
import {
  type Expression,
  type FieldName,
  type Kind,
  type Literal,
  type Operator,
  parseRule,
  type Value,
} from './parser.ts';

/** Header names in lower case; what is left out is absent. */
export interface WafRequest {
  readonly fields: Readonly<Partial<Record<FieldName, string | number | boolean>>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Rule = (request: WafRequest) => boolean;

/** Throws a RuleError where the expression is not understood. */
export function compileRule(expression: string): Rule {
  const tree = parseRule(expression);
  return (request) => holds(tree, request);
}

function holds(expression: Expression, request: WafRequest): boolean {
  switch (expression.is) {
    case 'or':
      return holds(expression.left, request) || holds(expression.right, request);
    case 'and':
      return holds(expression.left, request) && holds(expression.right, request);
    case 'not':
      return !holds(expression.of, request);
    case 'flag':
      return valueIn(expression.value, request) === true;
    case 'starts_with': {
      const value = valueIn(expression.value, request);
      return value !== undefined && String(value).startsWith(expression.prefix);
    }
    case 'compare': {
      const value = valueIn(expression.value, request);
      return value !== undefined && compares(expression.kind, value, expression.by, expression.to);
    }
    case 'in': {
      const value = valueIn(expression.value, request);
      return value !== undefined && expression.set.some((member) => isSame(expression.kind, value, member));
    }
  }
}

type Found = string | number | boolean | undefined;

/** Other names of the same thing. */
const sameAs: Readonly<Partial<Record<FieldName, FieldName>>> = {
  'ip.geoip.country': 'ip.src.country',
  'ip.geoip.asnum': 'ip.src.asnum',
};

function valueIn(value: Value, request: WafRequest): Found {
  switch (value.is) {
    case 'field':
      return request.fields[sameAs[value.name] ?? value.name];
    case 'header':
      return request.headers?.[value.name];
    case 'len': {
      const inner = valueIn(value.of, request);
      return inner === undefined ? undefined : new TextEncoder().encode(String(inner)).length;
    }
    case 'lower': {
      const inner = valueIn(value.of, request);
      return inner === undefined ? undefined : String(inner).toLowerCase();
    }
  }
}

function compares(kind: Kind, value: NonNullable<Found>, by: Operator, to: Literal): boolean {
  switch (by) {
    case 'eq':
      return isSame(kind, value, to);
    case 'ne':
      return !isSame(kind, value, to);
    case 'lt':
      return Number(value) < Number(to);
    case 'le':
      return Number(value) <= Number(to);
    case 'gt':
      return Number(value) > Number(to);
    case 'ge':
      return Number(value) >= Number(to);
    case 'contains':
      return String(value).includes(String(to));
    case 'matches':
      return new RegExp(String(to), 'u').test(String(value));
  }
}

function isSame(kind: Kind, value: NonNullable<Found>, literal: Literal): boolean {
  if (kind !== 'address') return value === literal;
  const [network, bits] = String(literal).split('/') as [string, string?];
  const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family);
  return list.check(String(value), isIP(String(value)) === 4 ? 'ipv4' : 'ipv6');
}
