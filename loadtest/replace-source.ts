/**
 * For a core that is deliberately not as it is: a line of its source is replaced as it is loaded, so that core itself knows nothing of it.
 */
import { registerHooks } from 'node:module';

/** @param file how the address of the source ends: `/core/…`. Loading it throws when `text` does not stand in it exactly once */
export function replaceSource(file: string, text: string, by: string): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(file)) return loaded;
      const source = String(loaded.source);
      if (source.split(text).length !== 2) throw new Error(`what is to be replaced was not found once in ${file}`);
      return { ...loaded, source: source.replace(text, () => by) };
    },
  });
}
