/**
 * What must never stand in a file of this repository: secrets, the addresses of package registries and mirrors (a
 * machine's own setting decides where packages come from), and paths of one machine.
 *
 *     node deploy/gate/tracked-text.ts
 *
 * Looks at every file that is tracked or would be with the next `git add`. The patterns are written so that they do
 * not find themselves.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../local/errors.ts';
import { repositoryDir } from '../local/places.ts';

interface Forbidden {
  readonly what: string;
  readonly pattern: RegExp;
}

export interface Finding {
  readonly what: string;
  /** Counted from 1. */
  readonly line: number;
}

const registries = [
  String.raw`registry\.(npmjs|yarnpkg)\.(org|com)`,
  String.raw`(npm|registry)\.jsr\.io`,
  String.raw`(proxy|sum)\.golang\.org`,
  String.raw`(files|packages)\.pythonhosted\.org`,
  String.raw`(test\.)?pypi\.org\/simple`,
  String.raw`(repo1?|central)\.maven\.(apache\.)?org`,
  String.raw`(static|index)\.crates\.io`,
  String.raw`(deb|security|ftp)\.debian\.org`,
];

const forbidden: readonly Forbidden[] = [
  { what: 'a package registry', pattern: new RegExp(`\\b(${registries.join('|')})`, 'i') },
  {
    what: 'a package mirror',
    pattern: /\bhttps?:\/\/[^\s/"']*\b(artifactory|nexus|mirror|npm-proxy|pypi-proxy|goproxy)\b[^\s/"']*\//i,
  },
  {
    what: 'a path of one machine',
    pattern: /(?<![\w.\\)\]}-])\/(?:root|(?:home|Users)\/[a-z][\w.-]*|work\/[a-z]+)(?=[/\s"'`:;,)]|$)/,
  },
  { what: 'a private key', pattern: /-----BEGIN [A-Z ]*PRIVATE KEY-----/ },
  { what: 'a cloud access key', pattern: /\b(AKIA|ASIA)[0-9A-Z]{16}\b/ },
  { what: 'a GitHub token', pattern: /\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60,})/ },
  { what: 'a Slack token', pattern: /\bxox[abprs]-[A-Za-z0-9-]{20,}/ },
  { what: 'an npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b|_authToken\s*=\s*[^\s$]/ },
  { what: 'a tunnel token', pattern: /\beyJhIjoi[A-Za-z0-9+/=_-]{40,}/ },
];

/** The findings in one text; a line that has several things is found for each. */
export function findForbidden(text: string): Finding[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      forbidden.filter(({ pattern }) => pattern.test(line)).map(({ what }) => ({ what, line: index + 1 })),
    );
}

/** Every file that git knows or would take, relative to `dir`. */
export function trackedFiles(dir: string): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const output = execFileSync('git', args, { cwd: dir, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  return [...new Set(output.split('\0'))].filter((path) => path !== '');
}

/** The text of a file; `null` for what is no text, no file, or gone from the work tree. */
function textOf(path: string): string | null {
  try {
    const bytes = readFileSync(path);
    return bytes.includes(0) ? null : bytes.toString('utf8');
  } catch (error) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return null;
    throw error;
  }
}

/** One line per finding: `file:line: what`. The text itself is not repeated: it may be a secret. */
export function checkTrackedText(dir: string): string[] {
  return trackedFiles(dir).flatMap((path) =>
    findForbidden(textOf(join(dir, path)) ?? '').map(({ what, line }) => `${path}:${line}: ${what}`),
  );
}

if (process.argv[1] === import.meta.filename) {
  const findings = checkTrackedText(repositoryDir);
  for (const finding of findings) console.log(finding);
  console.log(findings.length === 0 ? 'nothing found that must not be there' : `${findings.length} found`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
