/** Which of so many shared cells a key belongs to: FNV-1a, 32 bits. */
export function cellOf(key: string, cellsMax: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193) >>> 0;
  }
  return hash % cellsMax;
}
