/**
 * A reporter for node's test runner that prints one JSON object: the runner's own final counts.
 *
 * Read from the summary event, not from printed text, so that no change of the printed form can change a number.
 */
import type { TestEvent } from 'node:test/reporters';

export default async function* countReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    // The summary without a file is the one of the whole run.
    if (event.type === 'test:summary' && event.data.file === undefined) yield `${JSON.stringify(event.data.counts)}\n`;
  }
}
