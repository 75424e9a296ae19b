/** The lines of the answer, as text: each is put together once per line. */
import { type Problem, problem, type RequestId } from '@local-plus/contracts';
import type { LineFault } from './plan.ts';

/** What became of one line. */
export type LineAnswer =
  | { readonly type: 'applied'; readonly transactionJson: string; readonly replayed: boolean }
  | { readonly type: 'refused'; readonly problem: Problem; readonly replayed: boolean };

export function faultAnswer({ code, detail, errors }: LineFault, requestId: RequestId): LineAnswer {
  return { type: 'refused', problem: problem(code, requestId, detail, errors), replayed: false };
}

export function statusOf(answer: LineAnswer): number {
  return answer.type === 'applied' ? 201 : answer.problem.status;
}

/** With its end. */
export function lineText(index: number, answer: LineAnswer): string {
  const replayed = answer.replayed ? ',"replayed":true' : '';
  const body =
    answer.type === 'applied'
      ? `"transaction":${answer.transactionJson}`
      : `"problem":${JSON.stringify(answer.problem)}`;
  return `{"index":${index},"status":${statusOf(answer)}${replayed},${body}}\n`;
}
