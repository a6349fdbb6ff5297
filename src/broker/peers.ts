import type { PeerConnection, PeersPort } from './ports/index.ts';

/** Those who are connected now, by any door; the doors' own limits bound how many. */
export class Peers implements PeersPort {
  readonly #connections = new Set<PeerConnection>();

  enter(connection: PeerConnection): void {
    this.#connections.add(connection);
  }

  leave(connection: PeerConnection): void {
    this.#connections.delete(connection);
  }

  list(): readonly PeerConnection[] {
    return [...this.#connections];
  }
}
