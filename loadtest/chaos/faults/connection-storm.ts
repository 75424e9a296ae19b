import { connect, type Socket } from 'node:net';
import type { Fault } from './fault.ts';

export const connectionStorm: Fault = {
  name: 'connection-storm',
  lane: 'around',
  weight: 1,
  does: 'hundreds of connections to the edge and to core at once: some say nothing, some half a request, some nonsense',
  leaves: 'others are served beside them; nothing grows without bound',
  standsFor: 'a reconnect storm, a port scan',
  forMs: [500, 3_000],
  async strike({ stage, pause }, { forMs, count }) {
    const ports = [Number(new URL(stage.edgeUrl).port), stage.corePort];
    const firsts = ['', 'POST /v1/transfers HTTP/1.1\r\nhost: x\r\ncontent-le', '\u0016\u0003\u0001 nonsense\r\n\r\n'];
    const sockets: Socket[] = [];
    for (let number = 0; number < count; number++) {
      const socket = connect({ host: '127.0.0.1', port: ports[number % 2] ?? 0 });
      socket.on('error', () => undefined);
      socket.write(firsts[number % firsts.length] ?? '');
      sockets.push(socket);
    }
    try {
      await pause(forMs);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  },
};
