/**
 * Imports run one way: a folder imports only what stands below it (see ARCHITECTURE.md, "The house").
 * `npm run imports` fails on a violation, an import cycle, or an import that is not declared.
 */
const FOLDERS = 'contracts|actors|core|edge|loadtest|deploy';
const mayImport = {
  contracts: [],
  actors: ['contracts'],
  core: ['actors', 'contracts'],
  edge: ['contracts'],
  loadtest: ['contracts'],
  deploy: ['contracts'],
};
// The tests and benches start the real parts, which deploy/local brings up: they alone may reach across.
const TEST = '\\.test\\.ts$|/test/|^loadtest/(bench|chaos|edge|faults|fuzz|reconcile|run)|^loadtest/[a-z0-9-]+\\.ts$';

module.exports = {
  forbidden: [
    ...Object.entries(mayImport).map(([folder, allowed]) => ({
      name: `${folder}-imports-only-what-stands-below`,
      severity: 'error',
      from: { path: `^${folder}/`, pathNot: TEST },
      to: { path: `^(${FOLDERS})/`, pathNot: `^(${[folder, ...allowed].join('|')})/` },
    })),
    {
      name: 'modules-have-one-door',
      comment: 'Inside core a module is entered through its index.ts only.',
      severity: 'error',
      from: { path: '^core/([^/]+)/', pathNot: '\\.test\\.ts$|/test/|^core/composition/' },
      to: { path: '^core/([^/]+)/', pathNot: '^core/$1/|^core/platform/|^core/[^/]+/index\\.ts$' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'declared',
      severity: 'error',
      from: {},
      to: { pathNot: '^cloudflare:', dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.(local|wrangler)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
