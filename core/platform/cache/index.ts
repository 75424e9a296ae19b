/** The door of caches in memory: for what never changes once it exists. */
export { Directory, type DirectoryOptions, type RowMemory } from './directory.ts';
export { type CacheCounts, LoadingCache, type LoadingCacheOptions } from './loading.ts';
