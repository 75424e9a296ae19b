/**
 * Addresses of clients as text (RFC 4291 §2.2, RFC 5952 in spirit): read, put into one form, and grouped into what
 * one subscriber has, an IPv4 address or an IPv6 /64 (RFC 6177).
 */

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const IPV4_MAPPED = 0xffff;

/** The canonical text of an address; an IPv4-mapped IPv6 address is the IPv4 address. Null for anything else. */
export function parseAddress(text: string): string | null {
  if (text.length > 45) return null;
  if (IPV4.test(text)) return text;
  const groups = parseIpv6(text);
  if (groups === null) return null;
  const [high, low] = [groups[6] as number, groups[7] as number];
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === IPV4_MAPPED;
  if (isMapped) return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
  return groups.map((group) => group.toString(16)).join(':');
}

/** What is counted as one caller: the address of IPv4, the /64 of IPv6. `address` is what {@link parseAddress} gave. */
export function addressKey(address: string): string {
  if (!address.includes(':')) return address;
  return `${address.split(':').slice(0, 4).join(':')}::/64`;
}

function parseIpv6(text: string): number[] | null {
  const halves = withoutIpv4Tail(text)?.split('::');
  if (halves === undefined || halves.length > 2) return null;
  const [head, tail] = halves.map(parseGroups);
  if (!head || tail === null) return null;
  if (tail === undefined) return head.length === 8 ? head : null;
  const missing = 8 - head.length - tail.length;
  return missing < 1 ? null : [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

/** `::ffff:192.0.2.1` → `::ffff:c000:201` */
function withoutIpv4Tail(text: string): string | null {
  if (!text.includes('.')) return text;
  const cut = text.lastIndexOf(':') + 1;
  const dotted = text.slice(cut);
  if (cut === 0 || !IPV4.test(dotted)) return null;
  const [a, b, c, d] = dotted.split('.').map(Number) as [number, number, number, number];
  return `${text.slice(0, cut)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}

function parseGroups(text: string): number[] | null {
  if (text === '') return [];
  const groups = text.split(':');
  return groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : null;
}
