/** What a door counts. Plain numbers, read when somebody asks for metrics; one object per door. */
export class DoorMetrics {
  connectionsOpen = 0;
  connectionsAccepted = 0;
  /** Closed at once because the listener was at its limit. */
  connectionsRefused = 0;
  /** Closed by us: a broken protocol, a stalled frame, a peer that reads nothing, idleness. */
  connectionsAborted = 0;
  bytesReceived = 0;
  bytesSent = 0;
  /** By the protocol's own name of the request. */
  readonly requests = new Map<string, RequestMetrics>();
  readonly topics = new Map<string, TopicMetrics>();

  forRequest(name: string): RequestMetrics {
    let found = this.requests.get(name);
    if (found === undefined) {
      found = new RequestMetrics();
      this.requests.set(name, found);
    }
    return found;
  }

  forTopic(name: string): TopicMetrics {
    let found = this.topics.get(name);
    if (found === undefined) {
      found = { recordsIn: 0, bytesIn: 0, recordsOut: 0, bytesOut: 0 };
      this.topics.set(name, found);
    }
    return found;
  }

  /** Forgets topics that are gone, so that the map does not outgrow the catalog. */
  retainTopics(exists: (name: string) => boolean): void {
    for (const name of this.topics.keys()) {
      if (!exists(name)) this.topics.delete(name);
    }
  }
}

export interface TopicMetrics {
  recordsIn: number;
  bytesIn: number;
  recordsOut: number;
  bytesOut: number;
}

export class RequestMetrics {
  count = 0;
  /** Answered by closing the connection. */
  failures = 0;
  totalMs = 0;
  /** `latencyCounts[i]` requests took at most `latencyBoundsMs[i]` and more than the bound before; the last: longer. */
  readonly latencyCounts: number[] = latencyBoundsMs.map(() => 0).concat(0);

  record(latencyMs: number): void {
    this.count += 1;
    this.totalMs += latencyMs;
    let index = 0;
    while (index < latencyBoundsMs.length && latencyMs > latencyBoundsMs[index]!) {
      index += 1;
    }
    this.latencyCounts[index] = this.latencyCounts[index]! + 1;
  }
}

/** Upper bounds of the latency buckets. */
export const latencyBoundsMs: readonly number[] = [
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000,
];
