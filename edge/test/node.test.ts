/** The edge's conformance suite on node. */
import { conformance } from './conformance.ts';

conformance('node');
