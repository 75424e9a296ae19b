/** Whatever changes what everybody sees moves the generation, in the same statement: both become visible together. */

/** One more `with` member. @param from the member that has a row when something changes: none, no move */
export function moved(from: string): string {
  return `moved as (
    update catalog_generation
    set generation = greatest(generation + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)
    where exists (select from ${from}))`;
}
