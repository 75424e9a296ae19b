/**
 * A deliberate break, for the checker to find: loaded into a process before core (`node --import`), it takes the comparison of
 * the writer's epoch out of the fence as the ledger's statements are read. Core itself knows nothing of it.
 */
import { replaceSource } from '../replace-source.ts';

const FENCE = 'id = $1::smallint and epoch = $2::bigint and batch = $3::bigint - 1';
/** The parameter stays: the statement's text says its type. */
const BROKEN = 'id = $1::smallint and $2::bigint is not null and batch = $3::bigint - 1';

replaceSource('/core/ledger/statements.ts', FENCE, BROKEN);
