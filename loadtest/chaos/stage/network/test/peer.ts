/** In a process's own network: tells of each datagram, sends those that it is told to, and answers each byte with itself. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const host = process.argv[2] as string;
const tell = (what: object): void => {
  process.send?.(what);
};
const datagrams = createSocket('udp4', (text, { address }) => tell({ from: address, text: text.toString() }));
const server = createServer((socket) => socket.pipe(socket));

process.on('message', ({ to, port, text }: { to: string; port: number; text: string }) => {
  datagrams.send(text, port, to, (error) => {
    if (error !== null) tell({ from: 'the kernel', text: error.message });
  });
});
process.on('disconnect', () => process.exit());
server.listen(0, host, () => {
  datagrams.bind(0, host, () => tell({ tcp: server.address(), udp: datagrams.address() }));
});
