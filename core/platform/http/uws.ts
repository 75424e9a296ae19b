/**
 * uWebSockets.js as this folder sees it: the few calls that are used, typed, in place of an interface with an index
 * signature of any.
 *
 * - U1 a request is gone when its handler returns: whatever is needed of it is read before.
 * - U2 a response is gone after `end`, or after its abort handler ran: touching it then ends the process.
 * - U3 outside the handler and `onData` a response is written inside `cork`, so that it leaves in one write.
 * - U4 `write` never loses anything: what the client does not take is kept. Whoever goes on regardless fills the memory.
 * - U5 `end` keeps it as well, and takes the answer for given: who asks on and on over one connection and never reads fills
 *   the memory. After a `tryEnd` that took less than all, the next request ends the connection instead.
 */
import { App, type us_listen_socket, us_listen_socket_close, us_socket_local_port } from 'uWebSockets.js';

/** Without it two processes could listen on one port, and each would get some of the connections. */
const EXCLUSIVE_PORT = 1;

/** The library takes options here, too; its types do not say so. */
type Listen = (
  host: string,
  port: number,
  options: number,
  done: (socket: us_listen_socket | false) => void,
) => unknown;

export interface NativeRequest {
  /** Empty when absent; the first when it stands twice. */
  getHeader(lowerCaseName: string): string;
  getParameter(index: number): string | undefined;
  /** The path as sent. */
  getUrl(): string;
  /** As sent; undefined when there is no question mark. The library's own types say less. */
  getQuery(): string | undefined;
  getCaseSensitiveMethod(): string;
}

export interface NativeResponse {
  writeStatus(status: string): unknown;
  writeHeader(name: string, value: string): unknown;
  /** One chunk of a body whose length nobody knows. False: the client does not take it yet; it waits in memory. */
  write(chunk: string): boolean;
  /** Called when what waited has left. True: nothing more was written meanwhile. */
  onWritable(run: (offset: number) => boolean): unknown;
  end(body: string, closeConnection: boolean): unknown;
  /**
   * As `end`, as far as the client takes it now.
   *
   * @param body from where the last call stopped
   * @param totalBytes of the whole body
   * @returns whether all of it was taken, last
   */
  tryEnd(body: string | Uint8Array, totalBytes: number): [boolean, boolean];
  /** For HEAD: says the length, sends no body. */
  endWithoutBody(contentLength: number | undefined, closeConnection: boolean): unknown;
  onAborted(run: () => void): unknown;
  /** Ends the connection as it is; the abort handler runs before this returns. */
  close(): unknown;
  /** The chunk is neutered when `run` returns. */
  onData(run: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  cork(run: () => void): unknown;
}

export type NativeHandler = (response: NativeResponse, request: NativeRequest) => void;

export interface NativeApp {
  get(pattern: string, run: NativeHandler): unknown;
  head(pattern: string, run: NativeHandler): unknown;
  post(pattern: string, run: NativeHandler): unknown;
  any(pattern: string, run: NativeHandler): unknown;
  /** Stops listening; open connections go on. */
  stopListening(): void;
  /** Closes every connection. */
  closeAll(): void;
  /** Resolves to the port; rejects when it is taken. Port 0 is any free one. */
  listen(host: string, port: number): Promise<number>;
}

export function createNativeApp(): NativeApp {
  const app = App();
  let socket: us_listen_socket | null = null;
  return {
    get: (pattern, run) => app.get(pattern, run),
    head: (pattern, run) => app.head(pattern, run),
    post: (pattern, run) => app.post(pattern, run),
    any: (pattern, run) => app.any(pattern, run),
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        (app.listen as unknown as Listen).call(app, host, port, EXCLUSIVE_PORT, (listening) => {
          if (listening === false) {
            reject(new Error(`cannot listen on ${host}:${port}: the port is taken, or not ours to take`));
            return;
          }
          socket = listening;
          resolve(us_socket_local_port(listening));
        });
      }),
    stopListening() {
      if (socket !== null) us_listen_socket_close(socket);
      socket = null;
    },
    closeAll: () => void app.close(),
  };
}
