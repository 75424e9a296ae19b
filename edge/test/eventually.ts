/** Looks until it is so; a bound, not an expectation. */
export async function eventually(what: string, isSo: () => Promise<boolean>, withinMs = 120_000): Promise<void> {
  const untilMs = Date.now() + withinMs;
  while (!(await isSo())) {
    if (Date.now() > untilMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
