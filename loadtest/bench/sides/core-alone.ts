/**
 * Core whose ledger has nobody to share its accounts with, not even in principle: what sharing costs a single process is measured
 * against it. One line is taken out of its source as it is loaded; core itself knows nothing of it.
 */
import { registerHooks } from 'node:module';

const BASE = '/core/composition/base.ts';
const SHARED = '    share: shards.share,\n';

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(BASE)) return loaded;
    const source = String(loaded.source);
    if (source.split(SHARED).length !== 2) throw new Error(`the sharing was not found in ${BASE}`);
    return { ...loaded, source: source.replace(SHARED, '') };
  },
});

await import('../../../core/main.ts');
