import type { Input } from '../shape.ts';
import type { SnsError } from './sns-error.ts';

const namespace = 'http://sns.amazonaws.com/doc/2010-03-31/';

const emptyResults: ReadonlySet<string> = new Set(['TagResource', 'UntagResource']);

/** Lists become `member`s, maps `entry`s, objects their members; what is undefined is left out. */
export function renderResponse(action: string, output: Input, requestId: string): string {
  const result = renderMembers(output);
  // Clients look for the element of an action whose answer could have members, be there none.
  const body = result === '' && !emptyResults.has(action) ? '' : element(`${action}Result`, result);
  return (
    `<${action}Response xmlns="${namespace}">${body}` +
    `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`
  );
}

export function renderError(error: SnsError, requestId: string): string {
  const type = error.isSenderFault ? 'Sender' : 'Receiver';
  return (
    `<ErrorResponse xmlns="${namespace}"><Error><Type>${type}</Type><Code>${error.code}</Code>` +
    `<Message>${escapeXml(error.message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`
  );
}

function element(name: string, content: string): string {
  return content === '' ? `<${name}/>` : `<${name}>${content}</${name}>`;
}

function renderMembers(members: object): string {
  let text = '';
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) text += element(name, renderValue(value));
  }
  return text;
}

function renderValue(value: unknown): string {
  if (Array.isArray(value)) {
    return value.map((item) => `<member>${renderValue(item)}</member>`).join('');
  }
  if (value instanceof Map) {
    return [...value]
      .map(
        ([key, item]) =>
          `<entry><key>${escapeXml(String(key))}</key><value>${renderValue(item)}</value></entry>`,
      )
      .join('');
  }
  return typeof value === 'object' && value !== null
    ? renderMembers(value)
    : escapeXml(String(value));
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  // A parser would make a line feed of it.
  '\r': '&#xD;',
};

function escapeXml(text: string): string {
  return text.replaceAll(/[&<>"\r]/g, (one) => escapes[one] ?? one);
}
