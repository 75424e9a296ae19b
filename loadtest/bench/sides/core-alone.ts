/**
 * Core whose ledger has nobody to share its accounts with, not even in principle: what sharing costs a single process is measured
 * against it. One line is taken out of its source as it is loaded; core itself knows nothing of it.
 */
import { replaceSource } from '../../replace-source.ts';

replaceSource('/core/composition/base.ts', '    share: shards.share,\n', '');

await import('../../../core/main.ts');
