/**
 * Where things stand in a checkout. Downloads are kept in one folder per checkout, shared by every run and every test,
 * and spared by `--fresh`.
 */
import { fileURLToPath } from 'node:url';

export const repositoryDir = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
export const defaultCacheDir = `${repositoryDir}/.local/cache`;
