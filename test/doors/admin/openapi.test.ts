import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openApiDocument, routes } from '../../../src/doors/admin/index.ts';

interface Document {
  openapi: string;
  paths: Record<string, Record<string, { operationId: string }>>;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the test reads what the document is made of
const document = JSON.parse(JSON.stringify(openApiDocument('1.2.3'))) as Document;

test('every route is described, and nothing else is', () => {
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations)
      .filter((method) => method !== 'parameters')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(
    described.toSorted(),
    routes.map(({ method, path }) => `${method} ${path}`).toSorted(),
  );
});

test('every reference leads somewhere', () => {
  const text = JSON.stringify(document);
  const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path ?? '');
  assert.ok(references.length > 10);
  for (const reference of references) {
    let target: unknown = document;
    for (const part of reference.split('/')) {
      assert.ok(typeof target === 'object' && target !== null && part in target, reference);
      target = Object.entries(target).find(([key]) => key === part)?.[1];
    }
  }
});

test('operation ids are unique', () => {
  const ids = Object.values(document.paths).flatMap((operations) =>
    Object.entries(operations)
      .filter(([method]) => method !== 'parameters')
      .map(([, { operationId }]) => operationId),
  );
  assert.equal(new Set(ids).size, ids.length);
});
