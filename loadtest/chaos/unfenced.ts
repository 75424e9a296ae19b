/**
 * A deliberate break, for the checker to find: loaded into a process before core (`node --import`), it takes the comparison of
 * the writer's epoch out of the fence as the ledger's statements are read. Core itself knows nothing of it.
 */
import { registerHooks } from 'node:module';

const STATEMENTS = '/core/ledger/statements.ts';
const FENCE = 'where id = $1::smallint and epoch = $2::bigint and batch = $3::bigint - 1';
/** The parameter stays: the statement's text says its type. */
const BROKEN = 'where id = $1::smallint and $2::bigint is not null and batch = $3::bigint - 1';

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(STATEMENTS)) return loaded;
    const source = String(loaded.source);
    if (source.split(FENCE).length !== 2) throw new Error(`the fence was not found in ${STATEMENTS}`);
    return { ...loaded, source: source.replace(FENCE, () => BROKEN) };
  },
});
