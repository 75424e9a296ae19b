/** Every fault, as a table. A new one is a file and a line here. */
import { abortingClients, slowClients } from './bad-clients.ts';
import { clockDay } from './clock-day.ts';
import { connectionStorm } from './connection-storm.ts';
import { coreCutOff } from './core-cut-off.ts';
import { coreKill } from './core-kill.ts';
import { coreKillAll } from './core-kill-all.ts';
import { corePause } from './core-pause.ts';
import { coreRestart } from './core-restart.ts';
import { coreZombie } from './core-zombie.ts';
import { databaseSlow } from './database-slow.ts';
import { diskFull } from './disk-full.ts';
import { edgeKill } from './edge-kill.ts';
import type { Fault } from './fault.ts';
import { kafkaKill } from './kafka-kill.ts';
import { kafkaPause } from './kafka-pause.ts';
import { linkBlackHole, linkCut, linkHalfOpen, linkReset, linkThrottle } from './links.ts';
import { coreIsolated, corePairParted, coreWithoutDatabase, coreWithoutPeers } from './partitions.ts';
import { postgresKill } from './postgres-kill.ts';
import { postgresPause } from './postgres-pause.ts';
import { rollingRestart } from './rolling-restart.ts';

export { type Draw, type Fault, type Lane, lanes, type Mark, type Scene } from './fault.ts';

export const faults: readonly Fault[] = [
  coreKill,
  coreKillAll,
  coreZombie,
  corePause,
  coreCutOff,
  coreIsolated,
  coreWithoutDatabase,
  coreWithoutPeers,
  corePairParted,
  coreRestart,
  rollingRestart,
  clockDay,
  postgresKill,
  postgresPause,
  databaseSlow,
  diskFull,
  kafkaKill,
  kafkaPause,
  edgeKill,
  linkBlackHole,
  linkHalfOpen,
  linkReset,
  linkCut,
  linkThrottle,
  connectionStorm,
  slowClients,
  abortingClients,
];
