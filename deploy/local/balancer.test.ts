import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createBalancer } from './balancer.ts';
import { freePorts } from './ports.ts';

/** Answers everything that it gets with its name in front, once the sender has ended. */
async function echo(name: string, host = '127.0.0.1'): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    socket.on('end', () => socket.end(`${name} ${text}`));
  });
  server.listen(0, host);
  await once(server, 'listening');
  return server;
}

async function call(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.on('data', (bytes: Buffer) => {
    answer += bytes.toString();
  });
  socket.end(text);
  await once(socket, 'end');
  return answer;
}

function connectionsOf(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

describe('the balancer', () => {
  const servers: Server[] = [];
  before(async () => {
    servers.push(await echo('a'), await echo('b'));
  });
  after(() => {
    for (const server of servers) server.close();
  });
  const portOf = (server: Server | undefined): number => (server?.address() as AddressInfo | undefined)?.port ?? 0;

  it('goes round, passes bytes and ends both ways, and passes over who refuses', async () => {
    const [nobody = 0] = await freePorts(1);
    const balancer = createBalancer(0, [portOf(servers[0]), nobody, portOf(servers[1])]);
    await balancer.start();
    const large = 'x'.repeat(300_000);
    const answers = [];
    for (let number = 0; number < 6; number++) answers.push(await call(balancer.port, large));
    assert.deepEqual(
      answers.map((answer) => answer[0]),
      ['a', 'b', 'b', 'a', 'b', 'b'],
    );
    assert.ok(answers.every((answer) => answer.slice(2) === large));
    await balancer.stop();
  });

  it('reaches a server at another address than the loopback', async () => {
    const elsewhere = await echo('elsewhere', '127.0.0.2');
    servers.push(elsewhere);
    const balancer = createBalancer(0, [{ host: '127.0.0.2', port: portOf(elsewhere) }]);
    await balancer.start();
    assert.equal(await call(balancer.port, 'x'), 'elsewhere x');
    await balancer.stop();
  });

  it('leaves no connection to a server behind when the client goes while it is being reached', async () => {
    const [server] = servers as [Server];
    const balancer = createBalancer(0, [portOf(server)]);
    await balancer.start();
    for (let number = 0; number < 50; number++) {
      const socket = connect(balancer.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.resetAndDestroy();
    }
    while ((await connectionsOf(server)) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await balancer.stop();
  });

  it('ends a connection when nobody answers, and all of them when it stops', async () => {
    const [nobody = 0] = await freePorts(1);
    const balancer = createBalancer(0, [nobody]);
    await balancer.start();
    assert.equal(await call(balancer.port, 'x').catch(() => ''), '');
    await balancer.stop();
    const other = createBalancer(0, [portOf(servers[0])]);
    await other.start();
    const socket = connect(other.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    await Promise.all([other.stop(), closed]);
  });
});
