/** `npm run examples`: plays every scene on a core and a Postgres of its own, and writes `contracts/examples.json`. */
import { writeFileSync } from 'node:fs';
import type { RouteId } from '@local-plus/contracts';
import { TestStack } from '../stack.ts';
import type { Examples } from './example.ts';
import { examplesFile, textOf } from './file.ts';
import { play } from './play.ts';
import type { Scene } from './scene.ts';
import { scenes } from './scenes/index.ts';

const stack = new TestStack();
try {
  const { client } = await stack.serve();
  let examples: Examples = {};
  const faults: string[] = [];
  for (const [id, scene] of Object.entries(scenes) as [RouteId, Scene][]) {
    try {
      examples = { ...examples, ...(await play(client, { [id]: scene })) };
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
    }
  }
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
  else writeFileSync(examplesFile, textOf(examples));
  console.log(`${Object.keys(examples).length} examples, ${faults.length} that do not come out`);
} finally {
  await stack.stop();
}
