/**
 * What the person at the terminal sees while things start: one line per part with the time it takes. On a terminal the
 * running parts are redrawn in place; elsewhere (a pipe, CI) every change is a line, and a long wait says so.
 */

export interface Task {
  /** What it does now. */
  note(text: string): void;
  done(text: string): void;
  /** It goes on without this part; the sentence says why. */
  absent(text: string): void;
  failed(text: string): void;
}

export interface Progress {
  task(name: string): Task;
  /** A line of its own, above the running ones. */
  line(text: string): void;
  /** Ends the redrawing; what still runs is forgotten. */
  close(): void;
}

export interface ProgressOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

interface Running {
  readonly name: string;
  readonly startedMs: number;
  text: string;
  saidMs: number;
}

const redrawMs = 200;
const stillMs = 10_000;
const nameWidth = 9;
const frames = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';

export function createProgress(output: ProgressOutput): Progress {
  const pretty = output.isTTY === true;
  const running = new Set<Running>();
  let drawnLines = 0;
  let frame = 0;

  function erase(): void {
    if (drawnLines > 0) output.write(`\u001b[${drawnLines}A\u001b[J`);
    drawnLines = 0;
  }

  function draw(): void {
    const width = Math.max(20, (output.columns || 80) - 1);
    for (const task of running) {
      const line = `${frames[frame % frames.length]} ${task.name.padEnd(nameWidth)} ${elapsed(task)}  ${task.text}`;
      output.write(`${line.slice(0, width)}\n`);
      drawnLines++;
    }
  }

  function print(text: string): void {
    if (pretty) erase();
    output.write(`${text}\n`);
    if (pretty) draw();
  }

  const timer = setInterval(() => {
    frame++;
    if (pretty) {
      erase();
      draw();
      return;
    }
    for (const task of running) {
      if (performance.now() - task.saidMs < stillMs) continue;
      task.saidMs = performance.now();
      print(`  ${task.name.padEnd(nameWidth)} ${elapsed(task)}  still ${task.text}`);
    }
  }, redrawMs);
  timer.unref();

  return {
    task(name) {
      const startedMs = performance.now();
      const task: Running = { name, startedMs, text: 'starting', saidMs: startedMs };
      running.add(task);
      const finish = (mark: string, text: string): void => {
        if (!running.delete(task)) return;
        print(`${mark} ${name.padEnd(nameWidth)} ${elapsed(task)}  ${text}`);
      };
      return {
        note(text) {
          task.text = text;
          task.saidMs = performance.now();
          if (!pretty && running.has(task)) print(`  ${name.padEnd(nameWidth)} ${elapsed(task)}  ${text}`);
        },
        done: (text) => finish('✓', text),
        absent: (text) => finish('–', text),
        failed: (text) => finish('✗', text),
      };
    },
    line: print,
    close() {
      clearInterval(timer);
      if (pretty) erase();
      running.clear();
    },
  };
}

/** `  3.4 s`, of constant width. */
function elapsed(task: Running): string {
  return `${((performance.now() - task.startedMs) / 1_000).toFixed(1).padStart(5)} s`;
}
