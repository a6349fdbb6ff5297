/** The virtual host that every client opens when nothing else was said is the broker's default namespace. */
export const defaultVhost = '/';

export function namespaceOf(vhost: string): string {
  return vhost === defaultVhost ? '' : vhost;
}

export function vhostOf(namespace: string): string {
  return namespace === '' ? defaultVhost : namespace;
}
