"""Checks of an AMQP broker with kombu's own API: `python kombu_checks.py URL CHECK`."""

import socket
import sys
import uuid

import kombu
from amqp.exceptions import AccessRefused
from kombu.pools import producers

LIMIT_SECONDS = 60


def connect(url, **options):
    return kombu.Connection(url.replace("amqp://", "pyamqp://") + "//", **options)


def unique(word):
    return f"kombu-{word}-{uuid.uuid4().hex[:8]}"


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


def drain(connection, condition):
    while not condition():
        connection.drain_events(timeout=LIMIT_SECONDS)


def confirms(url):
    """A producer that waits for confirms; what comes back of an unroutable message; serialised bodies."""
    with connect(url, transport_options={"confirm_publish": True}) as connection:
        queue = kombu.Queue(unique("confirms"), durable=True)
        returned = []
        with connection.Producer(on_return=lambda *args: returned.append(args)) as producer:
            producer.publish(
                {"whole": 7, "text": "täxt"},
                routing_key=queue.name,
                declare=[queue],
                headers={"kind": "test"},
                compression="zlib",
                priority=3,
                expiration=60,
                correlation_id="c",
                reply_to="answers",
            )
            producer.publish("x", routing_key=unique("nowhere"), mandatory=True)
            with connection.SimpleQueue(queue) as simple:
                message = simple.get(timeout=LIMIT_SECONDS)
                expect(message.payload, {"whole": 7, "text": "täxt"})
                expect(message.headers["kind"], "test")
                shown = {name: message.properties.get(name) for name in ("priority", "expiration", "correlation_id", "reply_to")}
                expect(shown, {"priority": 3, "expiration": "60000", "correlation_id": "c", "reply_to": "answers"})
                message.ack()
            drain(connection, lambda: returned)
            expect(returned[0][0].reply_code, 312)
        queue(connection.default_channel).delete()


def settle(url):
    """Acks, requeues and rejects of a consumer within its prefetch; what is rejected goes to the dead letters."""
    with connect(url) as connection:
        dead = kombu.Queue(unique("dead"), kombu.Exchange(unique("dlx"), "fanout", auto_delete=True), durable=True)
        queue = kombu.Queue(
            unique("settle"), durable=True, queue_arguments={"x-dead-letter-exchange": dead.exchange.name}
        )
        channel = connection.channel()
        dead(channel).declare()
        producer = kombu.Producer(channel)
        for index in range(6):
            producer.publish(index, routing_key=queue.name, declare=[queue])
        seen, held = [], []

        def on_message(body, message):
            seen.append((body, message.delivery_info["redelivered"]))
            if body == 1 and not message.delivery_info["redelivered"]:
                message.requeue()
            elif body == 2:
                message.reject()
            elif body == 5:
                held.append(message)
            else:
                message.ack()

        with kombu.Consumer(channel, [queue], callbacks=[on_message], prefetch_count=1) as consumer:
            drain(connection, lambda: len(seen) == 7)
            expect(seen, [(0, False), (1, False), (1, True), (2, False), (3, False), (4, False), (5, False)])
            consumer.cancel()
        held[0].requeue()
        bound = queue(channel)
        for _ in range(100):
            message = bound.get()
            if message is not None:
                break
        expect((message.payload, message.delivery_info["redelivered"]), (5, True))
        message.ack()
        letters = []
        with kombu.Consumer(channel, [dead], callbacks=[lambda body, letter: letters.append((body, letter))]):
            drain(connection, lambda: letters)
        body, letter = letters[0]
        expect((body, letter.headers["x-death"][0]["reason"]), (2, "rejected"))
        letter.ack()
        bound.delete()
        dead(channel).delete()


def routing(url):
    """Topic, direct and fanout exchanges, an exchange that is bound to another, unbinding."""
    with connect(url) as connection:
        channel = connection.channel()
        source = kombu.Exchange(unique("topic"), "topic", auto_delete=True)(channel)
        target = kombu.Exchange(unique("fanout"), "fanout", auto_delete=True)(channel)
        source.declare()
        target.declare()
        target.bind_to(source, routing_key="logs.#")
        queue = kombu.Queue(unique("routed"), target, exclusive=True)(channel)
        queue.declare()
        producer = kombu.Producer(channel, exchange=source)
        for key in ("logs.a", "other", "logs.a.b"):
            producer.publish(key, routing_key=key)
        seen = []
        with kombu.Consumer(channel, [queue], callbacks=[lambda body, _: seen.append(body)], no_ack=True):
            drain(connection, lambda: len(seen) == 2)
        expect(seen, ["logs.a", "logs.a.b"])
        queue.unbind_from(target)


def cancel(url):
    """A consumer is told when its queue goes; the connection goes on."""
    with connect(url) as connection, connect(url) as other:
        queue = kombu.Queue(unique("cancel"), durable=True)
        told = []
        with connection.channel() as channel:
            consumer = kombu.Consumer(channel, [queue], callbacks=[lambda *_: None], tag_prefix="kombu-", on_decode_error=None)
            consumer.consume()
            queue(other.default_channel).delete()
            try:
                drain(connection, lambda: told)
            except connection.connection_errors + connection.channel_errors as error:
                told.append(error)
            expect(len(told), 1)
        expect(connection.connected, True)


def reconnect(url):
    """A connection that is cut is made anew, and consumers and producers go on; nothing that was not settled is lost."""
    queue = kombu.Queue(unique("reconnect"), durable=True)
    seen = set()
    with connect(url, heartbeat=10) as connection:

        def on_message(body, message):
            if len(seen) == 3 and body not in seen and not cuts:
                cuts.append(body)
                connection.connection.transport.sock.shutdown(socket.SHUT_RDWR)
                return
            seen.add(body)
            message.ack()

        cuts = []
        with producers[connect(url, transport_options={"confirm_publish": True})].acquire() as producer:
            for index in range(10):
                producer.publish(index, routing_key=queue.name, declare=[queue], retry=True)
                if index == 4:
                    producer.connection.connection.transport.sock.shutdown(socket.SHUT_RDWR)
        while len(seen) < 10:
            try:
                connection.ensure_connection(max_retries=5)
                with connection.Consumer([queue], callbacks=[on_message], prefetch_count=2):
                    drain(connection, lambda: len(seen) == 10)
            except connection.recoverable_connection_errors:
                connection.close()
        expect(len(cuts), 1)
        queue(connection.default_channel).delete()


def refused(url):
    """Names that are not there and a wrong password are told as what they are."""
    with connect(url) as connection:
        try:
            kombu.Queue(unique("nowhere"))(connection.channel()).queue_declare(passive=True)
            raise AssertionError("a queue that is not there was found")
        except connection.channel_errors as error:
            expect(error.code, 404)
    try:
        connect(url.replace("guest:guest", "guest:wrong")).connect()
        raise AssertionError("a wrong password was taken")
    except AccessRefused as error:
        expect(error.code, 403)


CHECKS = (confirms, settle, routing, cancel, reconnect, refused)

if __name__ == "__main__":
    {check.__name__: check for check in CHECKS}[sys.argv[2]](sys.argv[1])
