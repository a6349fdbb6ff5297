"""Checks a broker with confluent-kafka (librdkafka): confluent.py BOOTSTRAP CHECK"""

import os
import signal
import subprocess
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

LIMIT_S = 60


def main():
    bootstrap, check = sys.argv[1:3]
    if check == "member":
        return run_member(bootstrap, *sys.argv[3:5])
    checks = {
        "compression": check_compression,
        "keys": check_keys,
        "group": check_group,
        "commit": check_commit,
        "admin": check_admin,
        "cooperative": check_cooperative,
        "consumer": check_consumer,
    }
    checks[check](bootstrap)


def new_topic(bootstrap, name, partitions):
    topic = f"confluent-{name}-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result(LIMIT_S)
    return topic


def new_consumer(bootstrap, group, **settings):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 500,
            **settings,
        }
    )


def poll(consumer, count):
    messages = []
    end = time.monotonic() + LIMIT_S
    while len(messages) < count:
        assert time.monotonic() < end, f"{len(messages)} of {count} messages came"
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        messages.append(message)
    return messages


def read_all(bootstrap, topic, count):
    consumer = new_consumer(bootstrap, f"{topic}-read-all")
    consumer.subscribe([topic])
    messages = poll(consumer, count)
    consumer.close()
    return messages


def produce(bootstrap, topic, values, key=None, **settings):
    errors = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", **settings})
    for index, value in enumerate(values):
        producer.produce(
            topic,
            value,
            key=key(index) if key else None,
            on_delivery=lambda error, _: errors.append(error) if error else None,
        )
        producer.poll(0)
    assert producer.flush(LIMIT_S) == 0
    assert not errors, errors[0]


def check_compression(bootstrap):
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        topic = new_topic(bootstrap, codec, 1)
        values = [f"value {index} ".encode() * 10 for index in range(2000)]
        produce(bootstrap, topic, values, **{"compression.type": codec})
        messages = read_all(bootstrap, topic, len(values))
        assert [message.value() for message in messages] == values, codec
        assert [message.offset() for message in messages] == list(range(len(values)))


def check_keys(bootstrap):
    topic = new_topic(bootstrap, "keys", 6)
    produce(
        bootstrap,
        topic,
        [str(index // 50).encode() for index in range(5000)],
        key=lambda index: f"key-{index % 50}",
        **{"enable.idempotence": True},
    )
    by_key = {}
    for message in read_all(bootstrap, topic, 5000):
        by_key.setdefault(message.key(), []).append((message.partition(), int(message.value())))
    assert len(by_key) == 50
    for values in by_key.values():
        assert len({partition for partition, _ in values}) == 1
        assert [value for _, value in values] == list(range(100))


def run_member(bootstrap, topic, group):
    """Prints `assigned N` and the values it reads, until it is killed."""
    strategy = os.environ.get("STRATEGY", "range,roundrobin")
    consumer = new_consumer(
        bootstrap,
        group,
        **{"auto.commit.interval.ms": 200, "partition.assignment.strategy": strategy},
    )

    def report(consumer, _):
        print("changed", flush=True)

    consumer.subscribe([topic], on_assign=report, on_revoke=report)
    owned = None
    while True:
        message = consumer.poll(0.1)
        now = len(consumer.assignment())
        if now != owned:
            owned = now
            print(f"assigned {owned}", flush=True)
        if message is not None and not message.error():
            print(f"value {message.value().decode()}", flush=True)


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


def wait_for(what, is_done):
    end = time.monotonic() + LIMIT_S
    while not is_done():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.1)


def check_group(bootstrap):
    topic = new_topic(bootstrap, "group", 6)
    group = f"{topic}-group"
    directory = subprocess.check_output(["mktemp", "-d"], text=True).strip()
    members = [Member(bootstrap, topic, group, f"{directory}/{index}") for index in range(3)]
    try:
        wait_for("two each", lambda: [member.assigned() for member in members] == [2, 2, 2])
        first = {f"first-{index}" for index in range(600)}
        produce(bootstrap, topic, [value.encode() for value in first], key=lambda index: str(index))
        wait_for("first", lambda: set.union(*(member.values() for member in members)) == first)
        members[0].process.send_signal(signal.SIGKILL)
        wait_for("three each", lambda: [member.assigned() for member in members[1:]] == [3, 3])
        second = {f"second-{index}" for index in range(600)}
        produce(bootstrap, topic, [value.encode() for value in second], key=lambda index: str(index))
        wait_for("second", lambda: second <= set.union(*(member.values() for member in members[1:])))
    finally:
        for member in members:
            member.process.kill()


def check_cooperative(bootstrap):
    os.environ["STRATEGY"] = "cooperative-sticky"
    check_group(bootstrap)


def new_modern_consumer(bootstrap, group, **settings):
    """One whose work the broker divides (KIP-848)."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            **settings,
        }
    )


def poll_all(consumers, values):
    for consumer in consumers:
        message = consumer.poll(0.05)
        if message is not None and not message.error():
            values.append(message.value().decode())


def check_consumer(bootstrap):
    topic = new_topic(bootstrap, "consumer", 6)
    group = f"{topic}-group"
    settings = [{"group.instance.id": "one"}, {"group.remote.assignor": "uniform"}, {}]
    consumers = [new_modern_consumer(bootstrap, group, **each) for each in settings]
    values = []

    def is_shared(count):
        poll_all(consumers, values)
        return [len(consumer.assignment()) for consumer in consumers] == [count] * len(consumers)

    for consumer in consumers:
        consumer.subscribe([topic])
    wait_for("two each", lambda: is_shared(2))
    first = [f"first-{index}" for index in range(300)]
    produce(bootstrap, topic, [value.encode() for value in first], key=lambda index: str(index))
    wait_for("first", lambda: is_shared(2) and sorted(values) == sorted(first))
    consumers.pop().close()
    wait_for("three each", lambda: is_shared(3))
    second = [f"second-{index}" for index in range(300)]
    produce(bootstrap, topic, [value.encode() for value in second], key=lambda index: str(index))
    wait_for("second", lambda: is_shared(3) and set(second) <= set(values))
    before = sorted(partition.partition for partition in consumers[0].assignment())
    consumers.pop(0).close()
    consumers.insert(0, new_modern_consumer(bootstrap, group, **settings[0]))
    consumers[0].subscribe([topic])
    wait_for("the static member is back", lambda: is_shared(3))
    after = sorted(partition.partition for partition in consumers[0].assignment())
    assert before == after, f"{before} before, {after} after"
    for consumer in consumers:
        consumer.close()
    found = new_modern_consumer(bootstrap, f"{group}-pattern")
    found.subscribe([f"^{topic[:-3]}.*"])
    consumers[:] = [found]
    wait_for("the pattern", lambda: is_shared(6))
    found.close()


def check_commit(bootstrap):
    topic = new_topic(bootstrap, "commit", 1)
    group = f"{topic}-group"
    produce(bootstrap, topic, [str(index).encode() for index in range(10)])
    for expected in (range(0, 4), range(4, 10)):
        consumer = new_consumer(bootstrap, group, **{"enable.auto.commit": False})
        consumer.subscribe([topic])
        for message, number in zip(poll(consumer, len(expected)), expected):
            assert int(message.value()) == number
            consumer.commit(message=message, asynchronous=False)
        consumer.close()
    consumer = new_consumer(bootstrap, group)
    assert consumer.committed([TopicPartition(topic, 0)])[0].offset == 10
    consumer.close()


def result(futures):
    """Of a dictionary with one future."""
    return next(iter(futures.values())).result(LIMIT_S)


def check_admin(bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topic = new_topic(bootstrap, "admin", 2)
    assert topic in admin.list_topics(timeout=LIMIT_S).topics
    try:
        result(admin.create_topics([NewTopic(topic, 2, 1)]))
        raise AssertionError("a topic was created twice")
    except KafkaException as error:
        assert error.args[0].name() == "TOPIC_ALREADY_EXISTS", error
    result(admin.create_partitions([NewPartitions(topic, 4)]))
    assert len(admin.list_topics(topic, timeout=LIMIT_S).topics[topic].partitions) == 4

    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    entry = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    change = ConfigResource(
        ConfigResource.Type.TOPIC, topic, incremental_configs=[entry]
    )
    result(admin.incremental_alter_configs([change]))
    assert result(admin.describe_configs([resource]))["retention.ms"].value == "3600000"

    produce(bootstrap, topic, [b"x"] * 10, key=lambda _: "same")
    partition = next(
        message.partition() for message in read_all(bootstrap, topic, 10)
    )
    at = TopicPartition(topic, partition)
    assert result(admin.list_offsets({at: OffsetSpec.latest()})).offset == 10
    result(admin.delete_records([TopicPartition(topic, partition, 6)]))
    assert result(admin.list_offsets({at: OffsetSpec.earliest()})).offset == 6

    group = f"{topic}-read-all"
    assert group in {each.group_id for each in admin.list_consumer_groups().result(LIMIT_S).valid}
    described = result(admin.describe_consumer_groups([group]))
    assert described.group_id == group
    result(admin.delete_consumer_groups([group]))
    cluster = admin.describe_cluster().result(LIMIT_S)
    assert len(cluster.nodes) == 1 and cluster.controller is not None
    result(admin.delete_topics([topic]))
    wait_for("deletion", lambda: topic not in admin.list_topics(timeout=LIMIT_S).topics)


main()
