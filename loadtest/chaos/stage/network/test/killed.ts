/** Makes the network and is killed before it can take anything back. */
import { Network } from '../network.ts';

await Network.open(2);
process.kill(process.pid, 'SIGKILL');
