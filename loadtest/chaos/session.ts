/** One run of the chaos suite, from the stage to the verdict, in whatever network this process is. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { resultsDir } from '../bench/environment.ts';
import { machineFacts } from '../bench/report/results.ts';
import { type Arguments, needs } from './arguments.ts';
import { Campaign, type Outcome } from './campaign.ts';
import { printReport, type RunReport, recordRun, violationsOf } from './report.ts';
import type { Network } from './stage/network/network.ts';
import { type Missing, openStage, type Stage } from './stage/stage.ts';

const EXIT_FOUND = 1;

/** @param namespaces for the processes of core; closed by its owner @returns the exit code */
export async function runCampaign(
  args: Arguments,
  namespaces: Network | Missing,
  signal: AbortSignal,
): Promise<number> {
  const startedAt = new Date().toISOString();
  const flags = process.argv.slice(2).filter((flag) => flag !== '--record' && flag !== '--keep');
  const isSeeded = flags.some((flag) => flag.startsWith('--seed') || flag === '--short');
  const repeat = ['npm run chaos --', ...flags, ...(isSeeded ? [] : [`--seed ${args.seed}`])].join(' ');
  console.log(`Seed ${args.seed}: \`${repeat}\` plans the same faults.`);
  const coreImport = args.breakFence ? pathToFileURL(join(import.meta.dirname, 'unfenced.ts')).href : null;
  const stage = await openStage({
    log: console.log,
    smallDisk: needs(args, 'disk'),
    clocks: needs(args, 'clocks'),
    namespaces,
    coreImport,
  });
  let exitCode = EXIT_FOUND;
  try {
    const outcome = await new Campaign(stage, args, signal, console.log).run();
    const report = reportOf(outcome, args, startedAt, repeat, stage);
    printReport(report);
    if (args.attemptsMax === 2) {
      console.log(`Calls that failed with one retry: ${outcome.figures.outcomes['unknown'] ?? 0}.`);
    }
    if (args.isRecorded) console.log(`Recorded in ${recordRun(resultsDir, report)}`);
    exitCode = args.breakFence ? verdictOfBreak(report) : verdictOf(report);
  } finally {
    await stage.stop();
    if (exitCode === 0 && !args.isKept) stage.remove();
    else console.log(`History, logs and data are kept in ${stage.dir}`);
  }
  return exitCode;
}

function verdictOf({ checks, seed }: RunReport): number {
  const isClean = violationsOf(checks) === 0;
  console.log(isClean ? 'Nothing lost, nothing doubled, everything settled.' : `Found with seed ${seed}.`);
  return isClean ? 0 : EXIT_FOUND;
}

/** The run was to go wrong, and the checker to see it. */
function verdictOfBreak({ checks }: RunReport): number {
  const fence = checks.find(({ name }) => name.startsWith('I7 nothing'));
  const isFound = (fence?.violations ?? 0) > 0;
  console.log(isFound ? `The broken fence was found: ${fence?.first}` : 'The broken fence was not found.');
  return isFound ? 0 : EXIT_FOUND;
}

function reportOf(outcome: Outcome, args: Arguments, startedAt: string, command: string, stage: Stage): RunReport {
  const { marks, settled, struck, notRun, figures, moves, checks } = outcome;
  const killed: Record<string, number> = {};
  for (const { kind } of marks) {
    const part = /^(.*)-killed$/.exec(kind)?.[1];
    if (part !== undefined) killed[part] = (killed[part] ?? 0) + 1;
  }
  const disk = 'missing' in stage.disk ? 'fsync on' : 'fsync on, its data on a tmpfs so that it can run full';
  return {
    startedAt,
    command,
    seed: args.seed,
    seconds: args.seconds,
    ratePerS: args.ratePerS,
    machine: machineFacts(disk),
    struck,
    notRun,
    killed,
    zombies: marks.filter((mark) => mark.kind === 'core-stopped' && mark.wasReplaced).length,
    partitioned: marks.filter((mark) => mark.kind === 'core-parted' && mark.wasReplaced).length,
    refused: outcome.refused,
    moves,
    figures,
    unknown: {
      asked: settled.asked,
      askedHappened: settled.askedHappened,
      left: outcome.unknownLeft,
      leftHappened: outcome.unknownLeftHappened,
    },
    settleMs: settled.settleMs,
    checks,
  };
}
