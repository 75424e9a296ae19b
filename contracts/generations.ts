/**
 * Which generation of a kind of public resource is the current one: core moves it with every change, the edge compares.
 * What was answered under another generation than the current one is out of date. Opaque; only equality has a meaning.
 */
import * as z from 'zod';

/** On the answers of public reads: the generation that the answer is of, or a later one's content. */
export const generationHeader = 'lp-generation';

const generation = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/** `GET internalPaths.generations`. Not strict: core may know more kinds than this edge. */
export const generations = z.object({ catalog: generation });
export type Generations = z.infer<typeof generations>;
export type GenerationKind = keyof Generations;

/** null: the text is no generation. */
export function parseGeneration(text: string | null): string | null {
  return generation.safeParse(text).data ?? null;
}
