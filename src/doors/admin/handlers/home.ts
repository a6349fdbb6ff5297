import { hostAndPort } from '../../../net/index.ts';
import type { AdminHandler, Route } from '../context.ts';
import { openApiDocument } from '../openapi.ts';

/** `GET /openapi.json`. */
export const showOpenApi: AdminHandler = (context) => ({
  status: 200,
  content: { json: openApiDocument(context.version) },
});

/** A plain page that names what is served, made from the routes themselves. */
export function homeHandler(routes: readonly Route[]): AdminHandler {
  const rows = routes
    .filter((route) => route.path !== '/')
    .map(({ method, path }) => {
      const isLink = method === 'GET' && !path.includes('{');
      const target = isLink ? `<a href="${path}">${path}</a>` : path;
      return `<tr><td>${method}</td><td><code>${target}</code></td></tr>`;
    })
    .join('\n');
  return (context) => ({
    status: 200,
    headers: { 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" },
    content: {
      type: 'text/html; charset=utf-8',
      text: homePage(context.version, context.listDoors(), rows),
    },
  });
}

function homePage(
  version: string,
  doors: ReadonlyArray<{ name: string; host: string; port: number }>,
  rows: string,
): string {
  const listening = doors
    .map(
      ({ name, host, port }) =>
        `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(hostAndPort(host, port))}</td></tr>`,
    )
    .join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Pabal</title>
<style>body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 44rem; padding: 0 1rem }
td { padding: .1rem 1rem .1rem 0 }</style>
</head>
<body>
<h1>Pabal ${escapeHtml(version)}</h1>
<p>This broker is running. Its doors:</p>
<table>
${listening}
</table>
<p>This door serves, as <a href="/openapi.json">/openapi.json</a> describes:</p>
<table>
${rows}
</table>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
