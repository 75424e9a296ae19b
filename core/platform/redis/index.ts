/** The door of Redis: the link to it, and the cache that lives with and without it. */
export { type CacheOptions, TwoLevelCache } from './cache.ts';
export { connectRedis, noRedis, type RedisLink } from './link.ts';
