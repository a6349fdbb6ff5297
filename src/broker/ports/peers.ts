/** Those who are connected, for people who look and tools that list. Doors enter and leave them. */
export interface PeerConnection {
  readonly name: string;
  readonly protocol: string;
  readonly user: string;
  readonly namespace: string;
  readonly peerHost: string;
  readonly peerPort: number;
  readonly host: string;
  readonly port: number;
  readonly connectedMs: number;
  readonly isTls: boolean;
  /** Words of the door that made it: state, mechanism, client properties, limits, byte and frame counts. */
  details(): Record<string, unknown>;
  channels(): readonly PeerChannel[];
  /** Tells the peer why, in its protocol, and closes. */
  close(reason: string): void;
}

export interface PeerChannel {
  readonly number: number;
  details(): Record<string, unknown>;
  consumers(): readonly PeerConsumer[];
}

export interface PeerConsumer {
  readonly tag: string;
  readonly queue: { readonly namespace: string; readonly name: string };
  details(): Record<string, unknown>;
}

export interface PeersPort {
  enter(connection: PeerConnection): void;
  leave(connection: PeerConnection): void;
  /** In order of connecting. */
  list(): readonly PeerConnection[];
}
