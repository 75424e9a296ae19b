/** The edge's conformance suite on workerd. */
import { conformance } from './conformance.ts';

conformance('workerd');
