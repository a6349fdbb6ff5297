"""Checks a broker with aiokafka: aio.py BOOTSTRAP CHECK"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

LIMIT_S = 60


async def main():
    bootstrap, check = sys.argv[1:3]
    if check == "member":
        return await run_member(bootstrap, *sys.argv[3:5])
    checks = {
        "compression": check_compression,
        "keys": check_keys,
        "group": check_group,
        "commit": check_commit,
        "admin": check_admin,
    }
    await asyncio.wait_for(checks[check](bootstrap), 3 * LIMIT_S)


async def new_topic(bootstrap, name, partitions):
    topic = f"aio-{name}-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    raise_errors(await admin.create_topics([NewTopic(topic, partitions, 1)]))
    await admin.close()
    return topic


def raise_errors(response):
    for _, code, *_ in response.topic_errors:
        if code != 0:
            raise for_code(code)


def new_consumer(bootstrap, topic, group, **settings):
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=500,
        **settings,
    )


async def read_all(bootstrap, topic, count):
    consumer = new_consumer(bootstrap, topic, f"{topic}-read-all")
    await consumer.start()
    messages = [await asyncio.wait_for(consumer.getone(), LIMIT_S) for _ in range(count)]
    await consumer.stop()
    return messages


async def produce(bootstrap, topic, values, key=lambda _: None, **settings):
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", **settings)
    await producer.start()
    sent = [await producer.send(topic, value, key=key(index)) for index, value in enumerate(values)]
    await asyncio.gather(*sent)
    await producer.stop()


async def check_compression(bootstrap):
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        topic = await new_topic(bootstrap, str(codec).lower(), 1)
        values = [f"value {index} ".encode() * 10 for index in range(1000)]
        await produce(bootstrap, topic, values, compression_type=codec)
        messages = await read_all(bootstrap, topic, len(values))
        assert [message.value for message in messages] == values, codec
        assert [message.offset for message in messages] == list(range(len(values)))


async def check_keys(bootstrap):
    topic = await new_topic(bootstrap, "keys", 6)
    await produce(
        bootstrap,
        topic,
        [str(index // 50).encode() for index in range(5000)],
        key=lambda index: f"key-{index % 50}".encode(),
        enable_idempotence=True,
    )
    by_key = {}
    for message in await read_all(bootstrap, topic, 5000):
        by_key.setdefault(message.key, []).append((message.partition, int(message.value)))
    assert len(by_key) == 50
    for values in by_key.values():
        assert len({partition for partition, _ in values}) == 1
        assert [value for _, value in values] == list(range(100))


async def run_member(bootstrap, topic, group):
    """Prints `assigned N` and the values it reads, until it is killed."""
    consumer = new_consumer(bootstrap, topic, group, auto_commit_interval_ms=200)
    await consumer.start()
    owned = None
    while True:
        batches = await consumer.getmany(timeout_ms=100)
        now = len(consumer.assignment())
        if now != owned:
            owned = now
            print(f"assigned {owned}", flush=True)
        for messages in batches.values():
            for message in messages:
                print(f"value {message.value.decode()}", flush=True)


class Member:
    def __init__(self, bootstrap, topic, group, log):
        self.log = open(log, "w+")
        self.process = subprocess.Popen(
            [sys.executable, __file__, bootstrap, "member", topic, group], stdout=self.log
        )

    def lines(self):
        with open(self.log.name) as log:
            return log.read().splitlines()

    def assigned(self):
        counts = [int(line.split()[1]) for line in self.lines() if line.startswith("assigned")]
        return counts[-1] if counts else 0

    def values(self):
        return {line.split()[1] for line in self.lines() if line.startswith("value")}


async def wait_for(what, is_done):
    end = time.monotonic() + LIMIT_S
    while not is_done():
        assert time.monotonic() < end, f"not in time: {what}"
        await asyncio.sleep(0.1)


async def check_group(bootstrap):
    topic = await new_topic(bootstrap, "group", 6)
    group = f"{topic}-group"
    with tempfile.TemporaryDirectory() as directory:
        members = [
            Member(bootstrap, topic, group, os.path.join(directory, str(index)))
            for index in range(3)
        ]
        try:
            await wait_for("two each", lambda: [member.assigned() for member in members] == [2] * 3)
            first = {f"first-{index}" for index in range(600)}
            await produce(
                bootstrap, topic, [each.encode() for each in first], key=lambda i: str(i).encode()
            )
            await wait_for("first", lambda: set.union(*(each.values() for each in members)) == first)
            members[0].process.send_signal(signal.SIGKILL)
            rest = members[1:]
            await wait_for("three each", lambda: [member.assigned() for member in rest] == [3, 3])
            second = {f"second-{index}" for index in range(600)}
            await produce(
                bootstrap, topic, [each.encode() for each in second], key=lambda i: str(i).encode()
            )
            await wait_for("second", lambda: second <= set.union(*(each.values() for each in rest)))
        finally:
            for member in members:
                member.process.kill()


async def check_commit(bootstrap):
    topic = await new_topic(bootstrap, "commit", 1)
    group = f"{topic}-group"
    await produce(bootstrap, topic, [str(index).encode() for index in range(10)])
    for expected in (range(0, 4), range(4, 10)):
        consumer = new_consumer(bootstrap, topic, group, enable_auto_commit=False)
        await consumer.start()
        for number in expected:
            message = await asyncio.wait_for(consumer.getone(), LIMIT_S)
            assert int(message.value) == number
            await consumer.commit({TopicPartition(topic, 0): number + 1})
        await consumer.stop()
    consumer = new_consumer(bootstrap, topic, group)
    await consumer.start()
    assert await consumer.committed(TopicPartition(topic, 0)) == 10
    await consumer.stop()


async def check_admin(bootstrap):
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    topic = await new_topic(bootstrap, "admin", 2)
    assert topic in await admin.list_topics()
    try:
        raise_errors(await admin.create_topics([NewTopic(topic, 2, 1)]))
        raise AssertionError("a topic was created twice")
    except TopicAlreadyExistsError:
        pass
    await admin.create_partitions({topic: NewPartitions(total_count=4)})
    described = (await admin.describe_topics([topic]))[0]
    assert len(described["partitions"]) == 4, described

    change = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "3600000"})
    await admin.alter_configs([change])
    responses = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    entries = {entry[0]: entry[1] for entry in responses[0].resources[0][4]}
    assert entries["retention.ms"] == "3600000", entries

    await produce(bootstrap, topic, [b"x"] * 10, key=lambda _: b"same")
    message = (await read_all(bootstrap, topic, 10))[0]
    at = TopicPartition(topic, message.partition)
    await admin.delete_records({at: RecordsToDelete(before_offset=6)})
    consumer = new_consumer(bootstrap, topic, f"{topic}-offsets")
    await consumer.start()
    assert (await consumer.beginning_offsets([at]))[at] == 6
    assert (await consumer.end_offsets([at]))[at] == 10
    await consumer.stop()

    groups = {group for group, *_ in await admin.list_consumer_groups()}
    assert f"{topic}-read-all" in groups, groups
    cluster = await admin.describe_cluster()
    assert len(cluster["brokers"]) == 1
    await admin.delete_topics([topic])
    end = time.monotonic() + LIMIT_S
    while topic in await admin.list_topics():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)
    await admin.close()


asyncio.run(main())
