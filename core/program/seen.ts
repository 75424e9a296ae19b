/** Wire → the program that a path names, for every module that has routes below one. */
import { type MerchantId, type ProgramId, parseId } from '@local-plus/contracts';
import { type CoreRequest, ProblemError, sees } from '../platform/http/index.ts';

/** What such a module has to know of a program. */
export interface ProgramOwner {
  readonly programId: ProgramId;
  readonly merchantId: MerchantId;
}

/** Who knows the programs: at once when it is in memory. */
export interface Programs<Program extends ProgramOwner> {
  find(programId: ProgramId): Program | null | Promise<Program | null>;
}

/** The program that the path's first segment names. Throws `not_found` for what is none of the caller's. */
export async function seenProgram<Program extends ProgramOwner>(
  programs: Programs<Program>,
  { params, context }: Pick<CoreRequest, 'params' | 'context'>,
): Promise<Program> {
  const id = parseId<ProgramId>(params[0] ?? '');
  const program = id === null ? null : await programs.find(id);
  if (program === null || !sees(context, program.merchantId)) throw new ProblemError('not_found');
  return program;
}
