"""A clerk of the bank with confluent-kafka (librdkafka): BOOTSTRAP CLERK.

Prints the number of each transfer whose commit was answered, and ends its transaction when its input ends.
test/crash/bank-ledger.ts says what a transfer is.
"""

import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

ACCOUNTS = 24
PARTITIONS = 6

stopping = threading.Event()


def watch() -> None:
    sys.stdin.read()
    stopping.set()


def find_next(consumer: Consumer, clerk: int) -> int:
    found = consumer.committed([TopicPartition("orders", clerk)], timeout=20)[0]
    return max(0, found.offset)


def transfer(producer: Producer, consumer: Consumer, clerk: int, number: int, commits: bool) -> None:
    producer.begin_transaction()
    source = (number * 7 + clerk * 3) % ACCOUNTS
    target = (source + 1 + number % (ACCOUNTS - 1)) % ACCOUNTS
    amount = 1 + number % 100
    for account, change in ((source, -amount), (target, amount)):
        text = f"{clerk} {number} {account} {change}"
        producer.produce("accounts", text.encode(), partition=account % PARTITIONS)
    offsets = [TopicPartition("orders", clerk, number + 1)]
    producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 20)
    if commits:
        producer.commit_transaction(20)
    else:
        producer.abort_transaction(20)


def work(bootstrap: str, clerk: int) -> None:
    name = f"clerk-{clerk}"
    common = {
        "bootstrap.servers": bootstrap,
        "log_level": 0,
        "reconnect.backoff.max.ms": 300,
        # With it librdkafka 2.16 gives up its only broker in the middle of a request, and hangs for ever.
        "metadata.recovery.strategy": "none",
    }
    producer = Producer(
        {**common, "transactional.id": name, "transaction.timeout.ms": 60000, "linger.ms": 0}
    )
    producer.init_transactions(20)
    consumer = Consumer({**common, "group.id": name, "isolation.level": "read_committed"})
    try:
        number = find_next(consumer, clerk)
        while not stopping.is_set():
            commits = random.random() < 0.85
            transfer(producer, consumer, clerk, number, commits)
            if commits:
                print(number, flush=True)
                number += 1
    finally:
        consumer.close()


def main() -> None:
    threading.Thread(target=watch, daemon=True).start()
    while not stopping.is_set():
        try:
            work(sys.argv[1], int(sys.argv[2]))
        except KafkaException as error:
            print(error, file=sys.stderr)
            time.sleep(0.05)


main()
