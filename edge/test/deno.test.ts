/** The edge's conformance suite on deno. */
import { conformance } from './conformance.ts';

conformance('deno');
