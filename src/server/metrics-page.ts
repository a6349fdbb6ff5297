import { limits } from '../base/index.ts';
import type { BrokerPort, Queue, QueueCounts, Topic } from '../broker/index.ts';
import { type DoorMetrics, latencyBoundsMs, type TopicMetrics } from '../net/index.ts';
import type { CommitMetrics } from './commit-metrics.ts';
import { Exposition, type Sample } from './exposition.ts';
import type { ProcessMetrics } from './process-metrics.ts';

/** The name under which what has no series of its own is summed. */
const others = '_other';

export interface MetricsSources {
  broker: BrokerPort;
  doors: ReadonlyMap<string, DoorMetrics>;
  commits: CommitMetrics;
  process: ProcessMetrics;
}

/** Writes `/metrics`. Everything was counted where it happened; here it is only gathered. */
export async function renderMetrics(sources: MetricsSources): Promise<string> {
  const page = new Exposition();
  const topics = sources.broker.topics.list();
  const shown = new Set(topics.slice(0, limits.metricTopicsMax).map(({ name }) => name));
  writeTopics(page, topics, shown);
  writeTraffic(page, sources, shown);
  writeQueues(page, sources.broker.queues.list());
  await writeGroups(page, sources.broker, shown);
  writeStorage(page, sources.broker);
  writeCommits(page, sources.commits);
  writeDoors(page, sources.doors);
  sources.process.write(page);
  return page.toString();
}

function writeTopics(page: Exposition, topics: readonly Topic[], shown: ReadonlySet<string>): void {
  const ends: Sample[] = [];
  const starts: Sample[] = [];
  const sizes: Sample[] = [];
  let partitionCount = 0;
  for (const topic of topics) {
    partitionCount += topic.partitions.length;
    if (!shown.has(topic.name)) continue;
    let sizeBytes = 0;
    for (const partition of topic.partitions) {
      const labels = { topic: topic.name, partition: partition.index };
      sizeBytes += partition.sizeBytes;
      // As many series as the topics with the most partitions would make are of use to nobody.
      if (ends.length >= partitionSeriesMax) continue;
      ends.push({ labels, value: partition.highWatermark });
      starts.push({ labels, value: partition.logStartOffset });
    }
    sizes.push({ labels: { topic: topic.name }, value: sizeBytes });
  }
  page.gauge('pabal_topics', 'Topics', topics.length);
  page.gauge('pabal_partitions', 'Partitions of all topics', partitionCount);
  page.gauge('pabal_partition_high_watermark', 'First offset that is not durable yet', ends);
  page.gauge('pabal_partition_log_start_offset', 'First offset that may be read', starts);
  page.gauge('pabal_topic_bytes', 'Bytes of the stored record batches, about', sizes);
}

const partitionSeriesMax = 10_000;

function writeTraffic(
  page: Exposition,
  { doors }: MetricsSources,
  shown: ReadonlySet<string>,
): void {
  const recordsIn: Sample[] = [];
  const bytesIn: Sample[] = [];
  const recordsOut: Sample[] = [];
  const bytesOut: Sample[] = [];
  for (const [door, metrics] of doors) {
    for (const [topic, traffic] of foldTopics(metrics.topics, shown)) {
      const labels = { door, topic };
      recordsIn.push({ labels, value: traffic.recordsIn });
      bytesIn.push({ labels, value: traffic.bytesIn });
      recordsOut.push({ labels, value: traffic.recordsOut });
      bytesOut.push({ labels, value: traffic.bytesOut });
    }
  }
  page.counter('pabal_records_in_total', 'Records received', recordsIn);
  page.counter('pabal_bytes_in_total', 'Bytes of record batches received', bytesIn);
  page.counter('pabal_records_out_total', 'Records delivered', recordsOut);
  page.counter('pabal_bytes_out_total', 'Bytes of record batches delivered', bytesOut);
}

function foldTopics(
  topics: ReadonlyMap<string, TopicMetrics>,
  shown: ReadonlySet<string>,
): Map<string, TopicMetrics> {
  const folded = new Map<string, TopicMetrics>();
  for (const [name, traffic] of topics) {
    const key = shown.has(name) ? name : others;
    const sum = folded.get(key) ?? { recordsIn: 0, bytesIn: 0, recordsOut: 0, bytesOut: 0 };
    sum.recordsIn += traffic.recordsIn;
    sum.bytesIn += traffic.bytesIn;
    sum.recordsOut += traffic.recordsOut;
    sum.bytesOut += traffic.bytesOut;
    folded.set(key, sum);
  }
  return folded;
}

/** Name, help and value of what is counted of each queue. */
const queueGauges = [
  ['pabal_queue_ready', 'Messages that can be delivered now', 'ready'],
  ['pabal_queue_ready_bytes', 'Bytes of their bodies', 'readyBytes'],
  ['pabal_queue_delayed', 'Messages that wait for their time', 'delayed'],
  ['pabal_queue_leased', 'Messages in the hands of consumers', 'leased'],
  ['pabal_queue_consumers', 'Consumers', 'consumers'],
  ['pabal_queue_damaged', 'Messages that cannot be read', 'damaged'],
] as const;
const queueCounters = [
  ['pabal_queue_published_total', 'Messages that came to the queue', 'published'],
  ['pabal_queue_delivered_total', 'Deliveries', 'delivered'],
  ['pabal_queue_redelivered_total', 'Deliveries that were not the first', 'redelivered'],
  ['pabal_queue_accepted_total', 'Messages that were accepted', 'accepted'],
  ['pabal_queue_released_total', 'Deliveries that were given back', 'released'],
  ['pabal_queue_dead_total', 'Messages that died', 'dead'],
] as const;

type QueueNumbers = { [K in Exclude<keyof QueueCounts, 'oldestTimestampMs'>]: number };

function writeQueues(page: Exposition, queues: readonly Queue[]): void {
  const series: Array<{ labels: Sample['labels']; counts: QueueNumbers }> = [];
  let folded: QueueNumbers | undefined;
  for (const [index, queue] of queues.entries()) {
    const counts = queue.counts();
    if (index < limits.metricQueuesMax) {
      const { namespace, name, subscription } = queue;
      series.push({ labels: { namespace, queue: name, subscription }, counts });
    } else folded = addCounts(folded, counts);
  }
  if (folded !== undefined) {
    const labels = { namespace: '', queue: others, subscription: '' };
    series.push({ labels, counts: folded });
  }
  page.gauge('pabal_queues', 'Queues', queues.length);
  const each = (key: keyof QueueNumbers): Sample[] =>
    series.map(({ labels, counts }) => ({ labels, value: counts[key] }));
  for (const [name, help, key] of queueGauges) page.gauge(name, help, each(key));
  for (const [name, help, key] of queueCounters) page.counter(name, help, each(key));
}

function addCounts(sum: QueueNumbers | undefined, counts: QueueNumbers): QueueNumbers {
  if (sum === undefined) return { ...counts };
  for (const [, , key] of [...queueGauges, ...queueCounters]) sum[key] += counts[key];
  return sum;
}

async function writeGroups(
  page: Exposition,
  broker: BrokerPort,
  shown: ReadonlySet<string>,
): Promise<void> {
  const lags = new Map<string, Sample>();
  const members: Sample[] = [];
  const states = new Map<string, number>();
  const groups = broker.listGroupCoordinators().flatMap((one) => one.list());
  for (const [index, { groupId, state }] of groups.entries()) {
    states.set(state, (states.get(state) ?? 0) + 1);
    if (index >= limits.metricGroupsMax) continue;
    const coordinator = broker.groupsFor(groupId);
    members.push({
      labels: { group: groupId },
      value: coordinator.describe(groupId).members.length,
    });
    for (const { topicId, partition, offset } of await coordinator.fetchOffsets(groupId)) {
      const topic = broker.topics.findById(topicId);
      const log = topic?.partitions[partition];
      if (topic === undefined || log === undefined || !shown.has(topic.name)) continue;
      if (lags.size >= partitionSeriesMax) continue;
      const labels = { group: groupId, topic: topic.name, partition };
      const value = Math.max(0, log.highWatermark - offset);
      lags.set(`${groupId}/${topicId}/${partition}`, { labels, value });
    }
  }
  const byState = [...states].map(([state, value]) => ({ labels: { state }, value }));
  page.gauge('pabal_groups', 'Consumer groups by state', byState);
  page.gauge('pabal_group_members', 'Members of a group', members);
  page.gauge('pabal_group_lag', 'Records that a group has not read yet', [...lags.values()]);
}

function writeStorage(page: Exposition, broker: BrokerPort): void {
  const storage = broker.storage();
  page.gauge('pabal_journal_bytes', 'Bytes of the journal', storage.journalBytes);
  page.gauge('pabal_segment_bytes', 'Bytes of the segments', storage.segmentBytes);
  page.gauge('pabal_disk_free_bytes', 'Bytes that may still be written', storage.freeBytes);
  page.gauge('pabal_disk_bytes', 'Bytes of the file system', storage.totalBytes);
  page.gauge('pabal_ready', '1 when the broker is ready', broker.findProblems().length > 0 ? 0 : 1);
  page.gauge(
    'pabal_overloaded',
    '1 while doors do not read because too much waits to become durable',
    broker.isOverloaded() ? 1 : 0,
  );
}

function writeCommits(page: Exposition, commits: CommitMetrics): void {
  const { latency, chunkBytes, batches } = commits;
  page.counter('pabal_committed_batches_total', 'Record batches made durable', batches);
  page.histogram(
    'pabal_commit_seconds',
    'Time of one group commit: from the chunk being closed to its bytes being durable',
    [{ labels: {}, buckets: latency }],
  );
  page.histogram('pabal_commit_bytes', 'Bytes of one group commit', [
    { labels: {}, buckets: chunkBytes },
  ]);
}

function writeDoors(page: Exposition, doors: ReadonlyMap<string, DoorMetrics>): void {
  const each = (read: (metrics: DoorMetrics) => number): Sample[] =>
    [...doors].map(([door, metrics]) => ({ labels: { door }, value: read(metrics) }));
  page.gauge(
    'pabal_connections',
    'Open connections',
    each((one) => one.connectionsOpen),
  );
  page.counter(
    'pabal_connections_accepted_total',
    'Connections accepted',
    each((one) => one.connectionsAccepted),
  );
  page.counter(
    'pabal_connections_refused_total',
    'Connections closed at once because the door was at its limit',
    each((one) => one.connectionsRefused),
  );
  page.counter(
    'pabal_connections_aborted_total',
    'Connections closed by the door: a broken protocol, a stalled or idle peer',
    each((one) => one.connectionsAborted),
  );
  page.counter(
    'pabal_received_bytes_total',
    'Bytes received from sockets',
    each((one) => one.bytesReceived),
  );
  page.counter(
    'pabal_sent_bytes_total',
    'Bytes sent to sockets',
    each((one) => one.bytesSent),
  );
  const requests = [...doors].flatMap(([door, metrics]) =>
    [...metrics.requests].map(([request, counts]) => ({ labels: { door, request }, counts })),
  );
  page.counter(
    'pabal_request_failures_total',
    'Requests answered by closing the connection',
    requests.map(({ labels, counts }) => ({ labels, value: counts.failures })),
  );
  const boundsSeconds = latencyBoundsMs.map((boundMs) => boundMs / 1000);
  page.histogram(
    'pabal_request_seconds',
    'Time from a whole request to its answer',
    requests.map(({ labels, counts }) => ({
      labels,
      buckets: {
        bounds: boundsSeconds,
        counts: counts.latencyCounts,
        sum: counts.totalMs / 1000,
      },
    })),
  );
}
