import type { Topic } from '../../src/broker/index.ts';
import { RecordBatchBuilder } from '../../src/bytes/index.ts';
import type { Partition } from '../../src/shard/index.ts';
import type { SeededRandom } from '../../src/testing/index.ts';
import type { PartitionModel, SentBatch } from './partition-model.ts';
import { expectThat } from './violation.ts';
import type { CommittedOffset, ProducerState, TopicModel, World } from './world.ts';

/** Starts everybody who uses the broker in this life. */
export function startActors(world: World): void {
  for (const producer of world.producers)
    startActor(world, `producer ${producer.id}`, runProducer, producer);
  for (let reader = 0; reader < 2; reader++)
    startActor(world, `reader ${reader}`, runReader, undefined);
  startActor(world, 'tail', runTail, undefined);
  startActor(world, 'committer', runCommitter, undefined);
  startActor(world, 'administrator', runAdministrator, undefined);
  startActor(world, 'member', runMember, undefined);
}

function startActor<T>(
  world: World,
  name: string,
  run: (world: World, random: SeededRandom, state: T) => Promise<void>,
  state: T,
): void {
  const random = world.random.fork();
  world.spawn(name, () => run(world, random, state));
}

interface Place {
  topic: Topic;
  topicModel: TopicModel;
  partition: Partition;
  model: PartitionModel;
}

function findPlace(world: World, topicId: string, index: number): Place | undefined {
  const topic = world.broker.topics.findById(topicId);
  const topicModel = world.topics.get(topicId);
  const partition = topic?.partitions[index];
  const model = topicModel?.partitions[index];
  if (topic === undefined || topicModel === undefined) return undefined;
  if (partition === undefined || model === undefined) return undefined;
  return { topic, topicModel, partition, model };
}

function pickPlace(world: World, random: SeededRandom): Place | undefined {
  // What is sent at the very end is no producer's.
  const topics = world.broker.listTopics().filter((topic) => topic.name !== 'the-end');
  const topic = topics[random.nextInt(Math.max(topics.length, 1))];
  if (topic === undefined) return undefined;
  return findPlace(world, topic.id, random.nextInt(topic.partitions.length));
}

// Producers

async function runProducer(
  world: World,
  random: SeededRandom,
  producer: ProducerState,
): Promise<void> {
  const { life } = world;
  for (;;) {
    await life.sleep(random.nextFraction() * random.pick([1, 5, 40]));
    const place = findPlace(world, producer.topicId, producer.partition);
    if (place === undefined || (producer.pending.length === 0 && random.chance(0.05))) {
      const other = pickPlace(world, random);
      if (other === undefined) continue;
      if (other.topic.id === producer.topicId && other.partition.index === producer.partition)
        continue;
      producer.topicId = other.topic.id;
      producer.partition = other.partition.index;
      producer.pending = [];
      producer.producerId = -1;
      continue;
    }
    if (producer.isIdempotent && producer.producerId < 0) {
      await takeProducerId(world, producer);
      continue;
    }
    const count = 1 + random.nextInt(random.pick([1, 3, 5]));
    while (producer.pending.length < count) addBatch(world, random, producer, place.model);
    await sendPending(world, producer, place);
  }
}

async function takeProducerId(world: World, producer: ProducerState): Promise<void> {
  try {
    const id = await world.broker.allocateProducerId();
    expectThat(!world.producerIds.has(id), `producer id ${id} was given out twice`);
    world.producerIds.add(id);
    producer.producerId = id;
    producer.nextSequence = 0;
  } catch (error) {
    world.forgive(error);
  }
}

function addBatch(
  world: World,
  random: SeededRandom,
  producer: ProducerState,
  model: PartitionModel,
): void {
  const id = world.nextBatchId();
  const builder = new RecordBatchBuilder();
  const recordCount = 1 + random.nextInt(4);
  const now = world.clock.nowMs();
  for (let record = 0; record < recordCount; record++) {
    builder.add({
      key: Buffer.from(String(id)),
      value: Buffer.alloc(random.nextInt(world.plan.recordBytesMax) + 1, id & 0xff),
      headers: [],
      timestampMs: now - random.nextInt(5),
    });
  }
  const bytes = producer.isIdempotent
    ? builder.build({
        producerId: producer.producerId,
        producerEpoch: 0,
        baseSequence: producer.nextSequence,
      })
    : builder.build();
  const batch = {
    id,
    bytes,
    recordCount,
    sentAt: -1,
    ackedAt: -1,
    offset: -1,
    firstSequence: producer.nextSequence,
  };
  producer.nextSequence += recordCount;
  producer.pending.push(batch);
  model.sent.set(id, batch);
}

/** Sends all that is pending at once; only what is acknowledged is not sent again by an idempotent producer. */
async function sendPending(world: World, producer: ProducerState, place: Place): Promise<void> {
  const { model, partition } = place;
  const batches = [...producer.pending];
  // What an idempotent producer sends again is the same batch; others cannot know, and send another one.
  if (!producer.isIdempotent) producer.pending = [];
  let isBehindFailure = false;
  const outcomes = batches.map(async (batch) => {
    if (batch.sentAt < 0) batch.sentAt = world.nextEvent();
    // The memory is the caller's again when the call returns.
    const borrowed = Buffer.from(batch.bytes);
    const appended = partition.append(borrowed);
    const before = batch.offset;
    try {
      const result = await appended;
      noteAppended(world, producer, batch, model, result, before);
      expectThat(
        !producer.isIdempotent || !isBehindFailure,
        `${model.name}: batch ${batch.id} was stored though the one before it was not`,
      );
      return true;
    } catch (error) {
      const known = world.forgive(error, 'topic-not-found', 'sequence-out-of-order');
      world.trace(`batch ${batch.id} to ${model.name}: ${known.code}`);
      if (known.code === 'topic-not-found')
        expectThat(place.topicModel.state !== 'live', `${model.name} is not found`);
      if (known.code === 'sequence-out-of-order' && !isBehindFailure) {
        expectThat(world.hasLostData, `${model.name}: batch ${batch.id}: ${known.message}`);
        producer.producerId = -1;
      }
      isBehindFailure = true;
      return false;
    }
  });
  await Promise.all(outcomes);
  if (producer.producerId < 0 && producer.isIdempotent) producer.pending = [];
}

function noteAppended(
  world: World,
  producer: ProducerState,
  batch: SentBatch,
  model: PartitionModel,
  result: { baseOffset: number; isDuplicate: boolean },
  before: number,
): void {
  const again = result.isDuplicate ? ', again' : '';
  world.trace(
    `batch ${batch.id} (${batch.recordCount}) is ${model.name}@${result.baseOffset}${again}`,
  );
  expectThat(
    producer.isIdempotent || !result.isDuplicate,
    `${model.name}: batch ${batch.id} is called a duplicate`,
  );
  expectThat(
    before < 0 || result.isDuplicate || model.placed.get(before)?.sent !== batch,
    `${model.name}: batch ${batch.id} was stored again`,
  );
  model.noteAck(batch, result.baseOffset, world.nextEvent());
  producer.pending = producer.pending.filter((pending) => pending !== batch);
  world.counts.acked += 1;
  if (result.isDuplicate) world.counts.duplicates += 1;
}

// Readers

async function runReader(world: World, random: SeededRandom): Promise<void> {
  const { life } = world;
  for (;;) {
    await life.sleep(random.nextFraction() * 20);
    const place = pickPlace(world, random);
    if (place === undefined) continue;
    const { partition, model } = place;
    model.noteHighWatermark(partition.highWatermark);
    model.noteLogStart(partition.logStartOffset);
    try {
      if (random.chance(0.2)) await lookUpTime(world, random, place);
      else await readSome(world, random, place);
    } catch (error) {
      const known = world.forgive(error, 'offset-out-of-range', 'topic-not-found');
      if (known.code === 'topic-not-found')
        expectThat(place.topicModel.state !== 'live', `${model.name} is not found`);
    }
  }
}

async function readSome(world: World, random: SeededRandom, place: Place): Promise<void> {
  const { partition, model } = place;
  const start = partition.logStartOffset;
  const span = partition.highWatermark - start;
  const isFromStart = random.chance(0.3);
  let offset = isFromStart ? start : start + random.nextInt(span + 1);
  for (let reads = 1 + random.nextInt(6); reads > 0; reads--) {
    const maxBytes = random.pick([1, 300, 5000, 1 << 20]);
    const minOneBatch = random.chance(0.8);
    const isAtEnd = offset >= partition.highWatermark;
    let result;
    try {
      result = await partition.read(offset, { maxBytes, minOneBatch, onlyStable: true });
    } catch (error) {
      const known = world.forgive(error, 'offset-out-of-range', 'topic-not-found');
      if (known.code === 'offset-out-of-range') {
        expectThat(
          offset < partition.logStartOffset,
          `${model.name}: ${known.message}, with a log start of ${partition.logStartOffset}`,
        );
      }
      if (known.code === 'topic-not-found') throw error;
      return;
    }
    const next = model.noteRead(offset, result);
    world.counts.read += result.slices.length;
    expectThat(
      isAtEnd || !minOneBatch || next > offset,
      `${model.name}: a read from ${offset}, below the high watermark, is empty`,
    );
    offset = next;
  }
}

async function lookUpTime(world: World, random: SeededRandom, place: Place): Promise<void> {
  const { partition, model } = place;
  const known = model.knownTimestamps;
  const timestampMs =
    (known[random.nextInt(Math.max(known.length, 1))] ?? world.clock.nowMs()) +
    random.nextInt(3) -
    1;
  const start = partition.logStartOffset;
  const high = partition.highWatermark;
  const found = await partition.findByTime(timestampMs);
  model.checkFoundByTime(timestampMs, found, start, high, partition.logStartOffset);
}

/** Follows one partition from its end, woken by it. */
async function runTail(world: World, random: SeededRandom): Promise<void> {
  const { life } = world;
  for (;;) {
    await life.sleep(1 + random.nextFraction() * 5);
    const place = pickPlace(world, random);
    if (place === undefined) continue;
    let offset = place.partition.highWatermark;
    for (let round = 0; round < 20; round++) {
      const { partition, model } = place;
      if (offset >= partition.highWatermark) {
        const woken = new Promise<void>((resolve) => partition.watch({ wake: () => resolve() }));
        await Promise.race([woken, life.sleep(30)]);
      }
      try {
        const result = await partition.read(offset, { maxBytes: 2000, minOneBatch: true });
        offset = model.noteRead(offset, result);
      } catch (error) {
        world.forgive(error, 'offset-out-of-range', 'topic-not-found');
        break;
      }
    }
  }
}

// Groups

async function runCommitter(world: World, random: SeededRandom): Promise<void> {
  const { life } = world;
  for (;;) {
    await life.sleep(random.nextFraction() * random.pick([2, 30]));
    const group = `group-${random.nextInt(2)}`;
    const partition = random.nextInt(2);
    const key = `${group}/${partition}`;
    const committed = world.offsets.get(key) ?? { asked: 0, acked: 0, fetched: 0 };
    world.offsets.set(key, committed);
    try {
      if (random.chance(0.6)) await commitOffset(world, group, partition, committed);
      else await fetchOffset(world, group, partition, committed);
    } catch (error) {
      world.forgive(error);
    }
  }
}

async function commitOffset(
  world: World,
  group: string,
  partition: number,
  committed: CommittedOffset,
): Promise<void> {
  const offset = ++committed.asked;
  const key = { topicId: 'some-topic', partition };
  await world.broker
    .groupsFor(group)
    .commit(group, undefined, [{ ...key, offset, leaderEpoch: -1, metadata: `m${offset}` }]);
  committed.acked = Math.max(committed.acked, offset);
}

export async function fetchOffset(
  world: World,
  group: string,
  partition: number,
  committed: CommittedOffset,
): Promise<void> {
  const min = Math.max(committed.acked, committed.fetched);
  const [found] = await world.broker
    .groupsFor(group)
    .fetchOffsets(group, [{ topicId: 'some-topic', partition }]);
  const offset = found?.offset ?? 0;
  expectThat(
    offset >= min && offset <= committed.asked,
    `${group}/${partition}: fetched offset ${offset}, expected ${min}..${committed.asked}`,
  );
  expectThat(
    found === undefined || found.metadata === `m${offset}`,
    `${group}/${partition}: offset ${offset} has metadata ${found?.metadata}`,
  );
  committed.fetched = Math.max(committed.fetched, offset);
}

/** Joins a group again and again: a generation that a member was told of is never given out again. */
async function runMember(world: World, random: SeededRandom): Promise<void> {
  const { life } = world;
  for (;;) {
    await life.sleep(20 + random.nextFraction() * 200);
    const groups = world.broker.groupsFor('members');
    try {
      const joined = await groups.join({
        groupId: 'members',
        memberId: '',
        clientId: 'simulation',
        clientHost: '/',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 50,
        requireMemberId: false,
      });
      const { memberId, generation } = joined;
      const member = { groupId: 'members', memberId, generation };
      await groups.sync({ ...member, assignments: [{ memberId, assignment: new Uint8Array(3) }] });
      expectThat(
        generation > world.generationSeen,
        `generation ${generation} was given out after ${world.generationSeen}`,
      );
      world.generationSeen = generation;
      await groups.leave('members', [{ memberId }]);
    } catch (error) {
      world.forgive(
        error,
        'group-rebalancing',
        'member-unknown',
        'generation-stale',
        'session-timeout-invalid',
      );
    }
  }
}

// Topics

async function runAdministrator(world: World, random: SeededRandom): Promise<void> {
  const { life } = world;
  for (;;) {
    await life.sleep(random.nextFraction() * 60);
    world.noteTopics();
    const dice = random.nextInt(10);
    try {
      if (dice < 3) await createTopic(world, random);
      else if (dice < 4) await deleteTopic(world, random);
      else if (dice < 7) await deleteRecords(world, random);
      else if (dice < 8) await addPartition(world, random);
      else if (dice < 9) await world.broker.maintain();
    } catch (error) {
      world.forgive(
        error,
        'offset-out-of-range',
        'topic-not-found',
        'topic-exists',
        'partition-count-invalid',
      );
    }
  }
}

export async function createTopic(world: World, random: SeededRandom): Promise<void> {
  const name = `topic-${random.nextInt(5)}`;
  if (world.broker.findTopic(name) !== undefined) return;
  const partitions = 1 + random.nextInt(3);
  world.creations.push({ name, partitions });
  world.trace(`create ${name}`);
  const topic = await world.broker.createTopic(name, {
    partitions,
    options: {
      timestampType: random.pick(['create', 'append']),
      retentionMs: random.pick([-1, -1, 300]),
      retentionBytes: random.pick([-1, -1, 6000]),
    },
  });
  world.trace(`created ${name} ${topic.id}`);
  const known = world.topics.get(topic.id);
  expectThat(topic.partitions.length === partitions, `${name} has not the partitions it should`);
  if (known === undefined) world.noteTopics();
}

async function deleteTopic(world: World, random: SeededRandom): Promise<void> {
  const topic = world.broker.findTopic(`topic-${1 + random.nextInt(4)}`);
  const model = topic === undefined ? undefined : world.topics.get(topic.id);
  if (topic === undefined || model === undefined) return;
  model.state = 'doubt';
  world.trace(`delete ${topic.name} ${topic.id}`);
  await world.broker.deleteTopic(topic.name);
  world.trace(`deleted ${topic.name}`);
  model.state = 'deleted';
}

async function deleteRecords(world: World, random: SeededRandom): Promise<void> {
  const place = pickPlace(world, random);
  if (place === undefined) return;
  const { partition, model } = place;
  const span = partition.highWatermark - partition.logStartOffset;
  const target = partition.logStartOffset + random.nextInt(span + 1);
  model.startAllowed = Math.max(model.startAllowed, target);
  world.trace(`delete ${model.name} before ${target}`);
  const start = await partition.deleteBefore(target);
  expectThat(start >= target, `${model.name} starts at ${start} after a deletion before ${target}`);
  model.noteLogStart(partition.logStartOffset);
}

async function addPartition(world: World, random: SeededRandom): Promise<void> {
  const topics = world.broker.listTopics();
  const topic = topics[random.nextInt(Math.max(topics.length, 1))];
  const model = topic === undefined ? undefined : world.topics.get(topic.id);
  if (topic === undefined || model === undefined || topic.partitions.length >= 5) return;
  const total = topic.partitions.length + 1;
  model.partitionsAsked = Math.max(model.partitionsAsked, total);
  await world.broker.topics.setPartitionCount(topic.name, total);
  if (model.state === 'live') model.partitionsAcked = Math.max(model.partitionsAcked, total);
  world.noteTopics();
}
