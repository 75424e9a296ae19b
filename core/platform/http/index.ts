/** The door of the HTTP platform. */
export { problemAnswer } from './answers.ts';
export { attempts } from './attempts.ts';
export { callingMerchant, isOperator, sees } from './caller.ts';
export { createdAnswer, creationKey, keyOf, requestName, settled } from './creations.ts';
export { cursorValue } from './cursors.ts';
export type { PeerAnswers } from './endpoints.ts';
export {
  type AnswerSource,
  type BodyOf,
  type CoreAnswer,
  type CoreRequest,
  type Handler,
  type Handlers,
  type ProblemDetails,
  ProblemError,
  type QueryOf,
  replayedHeaders,
  type StreamedAnswer,
} from './handler.ts';
export type { Readiness } from './health.ts';
export type { Pressure } from './pressure.ts';
export { createHttpServer, type HttpServer, type HttpServerOptions } from './server.ts';
export { signHeaders, type Unsigned } from './signing.ts';
