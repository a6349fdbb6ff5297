import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import {
  describeConfig,
  doorNames,
  doorTable,
  doorSettingKeys,
  type Kind,
  loadConfig,
  settingKeys,
  settingTable,
} from '../../src/server/index.ts';

const page = readFileSync(path.resolve(import.meta.dirname, '../../docs/configuration.md'), 'utf8');

/** The cells of the table row that begins with a word in backquotes. */
function findRow(word: string): string[] | undefined {
  const line = page.split('\n').find((text) => text.startsWith(`| \`${word}\` |`));
  return line?.split('|').map((cell) => cell.trim());
}

describe('docs/configuration.md', () => {
  for (const key of settingKeys) {
    test(`has ${key} with its default`, () => {
      const row = findRow(key);
      assert.ok(row !== undefined, `no row for ${key}`);
      const { initial } = settingTable[key];
      const kind: Kind<unknown> = settingTable[key].kind;
      const isEmpty = initial === '' || (Array.isArray(initial) && initial.length === 0);
      if (isEmpty) assert.match(row[3] ?? '', /^(none|all)$/);
      else assert.equal(row[3], `\`${kind.print(initial)}\``);
    });
  }

  for (const key of doorSettingKeys) {
    test(`has ${key}`, () => assert.ok(findRow(key) !== undefined));
  }

  for (const door of doorNames) {
    test(`has the door ${door} with its port`, () => {
      assert.equal(findRow(door)?.[2], `\`127.0.0.1:${doorTable[door].port}\``);
    });
  }

  test('lists nothing that does not exist', async () => {
    const config = await loadConfig({ environment: {}, flags: {} });
    const known = new Set([
      ...describeConfig(config).map(({ key }) => key),
      ...doorSettingKeys,
      ...doorNames,
    ]);
    const rows = [...page.matchAll(/^\| `([a-zA-Z]+)` \|/gm)].map(([, key]) => key ?? '');
    assert.ok(rows.length > 10);
    for (const key of rows) assert.ok(known.has(key), key);
  });
});
