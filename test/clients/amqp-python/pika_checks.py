"""Checks of an AMQP broker with pika: `python pika_checks.py URL CHECK`."""

import sys
import threading
import time
import uuid

import pika

LIMIT_SECONDS = 60


def connect(url):
    return pika.BlockingConnection(pika.URLParameters(url + "/%2F?heartbeat=30"))


def unique(word):
    return f"pika-{word}-{uuid.uuid4().hex[:8]}"


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


def read(channel, queue, count, **options):
    """Consumes until there are `count` messages, and cancels."""
    messages = []
    options.setdefault("auto_ack", True)
    for method, properties, body in channel.consume(queue, inactivity_timeout=LIMIT_SECONDS, **options):
        if method is None:
            raise AssertionError(f"{len(messages)} of {count} messages came")
        messages.append((method, properties, body))
        if len(messages) == count:
            break
    channel.cancel()
    return messages


def confirms(url):
    """Properties, confirms, unroutable messages."""
    with connect(url) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        queue = unique("confirms")
        channel.queue_declare(queue, durable=True)
        properties = pika.BasicProperties(
            content_type="text/plain",
            content_encoding="utf-8",
            headers={"text": "täxt", "whole": 7, "big": 2**40, "yes": True, "list": [1, "two"], "in": {"a": 1}, "none": None},
            delivery_mode=2,
            priority=1,
            correlation_id="correlation",
            reply_to="answers",
            expiration="60000",
            message_id="message",
            timestamp=1700000000,
            type="kind",
            user_id="guest",
            app_id="application",
        )
        channel.basic_publish("", queue, b"hello", properties, mandatory=True)
        try:
            channel.basic_publish("", unique("nowhere"), b"x", mandatory=True)
            raise AssertionError("an unroutable message was accepted")
        except pika.exceptions.UnroutableError as error:
            expect(error.messages[0].method.reply_code, 312)
        method, received, body = channel.basic_get(queue)
        expect(body, b"hello")
        expect(received.__dict__, properties.__dict__)
        expect((method.redelivered, method.message_count), (False, 0))
        channel.basic_ack(method.delivery_tag)
        channel.queue_delete(queue)


def overflow(url):
    """A full queue refuses with a nack."""
    with connect(url) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        queue = channel.queue_declare(
            "", exclusive=True, arguments={"x-max-length": 2, "x-overflow": "reject-publish"}
        ).method.queue
        channel.basic_publish("", queue, b"1")
        channel.basic_publish("", queue, b"2")
        try:
            channel.basic_publish("", queue, b"3")
            raise AssertionError("a full queue took a message")
        except pika.exceptions.NackError:
            pass
        expect([body for _, _, body in read(channel, queue, 2)], [b"1", b"2"])


def settle(url):
    """Acks, nacks, rejects, prefetch; what a lost connection held comes again."""
    with connect(url) as connection:
        channel = connection.channel()
        queue = unique("settle")
        channel.queue_declare(queue)
        channel.confirm_delivery()
        for index in range(10):
            channel.basic_publish("", queue, str(index).encode())
        other = connect(url)
        held = other.channel()
        held.basic_qos(prefetch_count=4)
        tags = []
        held.basic_consume(queue, lambda _c, method, _p, _b: tags.append(method.delivery_tag))
        while len(tags) < 4:
            other.process_data_events(time_limit=1)
        other.process_data_events(time_limit=0.3)
        expect(len(tags), 4)
        held.basic_ack(tags[0])
        held.basic_nack(tags[1], requeue=False)
        while len(tags) < 6:
            other.process_data_events(time_limit=1)
        held.basic_ack(tags[2], multiple=True)
        while len(tags) < 7:
            other.process_data_events(time_limit=1)
        other.close()
        messages = read(channel, queue, 7, auto_ack=True)
        expect([body for _, _, body in messages], [str(index).encode() for index in range(3, 10)])
        expect([method.redelivered for method, _, _ in messages], [True] * 4 + [False] * 3)
        channel.queue_delete(queue)


def routing(url):
    """Topic and headers exchanges, bindings between exchanges, dead letters."""
    with connect(url) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        topic, headers = unique("topic"), unique("headers")
        channel.exchange_declare(topic, "topic", auto_delete=True)
        channel.exchange_declare(headers, "headers", auto_delete=True)
        channel.exchange_bind(headers, topic, "logs.#")
        dead = channel.queue_declare("", exclusive=True).method.queue
        queue = channel.queue_declare(
            "", exclusive=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
        ).method.queue
        channel.queue_bind(queue, headers, "", {"x-match": "any", "level": "error", "code": 5})
        for level in ("error", "info"):
            channel.basic_publish(topic, "logs.a.b", level.encode(), pika.BasicProperties(headers={"level": level}))
        method, _, body = channel.basic_get(queue)
        expect((body, method.message_count), (b"error", 0))
        channel.basic_reject(method.delivery_tag, requeue=False)
        _, properties, body = read(channel, dead, 1)[0]
        expect(body, b"error")
        death = properties.headers["x-death"][0]
        expect((death["reason"], death["queue"], death["count"], death["routing-keys"]), ("rejected", queue, 1, ["logs.a.b"]))


def transactions(url):
    """tx.select, commit, rollback."""
    with connect(url) as connection:
        channel, reader = connection.channel(), connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.tx_select()
        channel.basic_publish("", queue, b"dropped")
        channel.tx_rollback()
        channel.basic_publish("", queue, b"kept")
        expect(reader.basic_get(queue), (None, None, None))
        channel.tx_commit()
        expect(read(reader, queue, 1)[0][2], b"kept")


def cancel(url):
    """A consumer whose queue is deleted is told."""
    with connect(url) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("").method.queue
        told = []
        channel.add_on_cancel_callback(lambda frame: told.append(frame.method.consumer_tag))
        tag = channel.basic_consume(queue, lambda *_: None)
        connection.channel().queue_delete(queue)
        end = time.time() + LIMIT_SECONDS
        while not told and time.time() < end:
            connection.process_data_events(time_limit=0.2)
        expect(told, [tag])


def errors(url):
    """Codes and texts that the client shows."""
    with connect(url) as connection:
        channel = connection.channel()
        try:
            channel.queue_declare("pika-none", passive=True)
            raise AssertionError("a queue that is not there was found")
        except pika.exceptions.ChannelClosedByBroker as error:
            expect((error.reply_code, error.reply_text), (404, "NOT_FOUND - no queue 'pika-none' in vhost '/'"))
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        with connect(url) as other:
            try:
                other.channel().queue_declare(queue, passive=True)
                raise AssertionError("somebody else's exclusive queue was opened")
            except pika.exceptions.ChannelClosedByBroker as error:
                expect(error.reply_code, 405)
    try:
        connect(url.replace("guest:guest", "guest:wrong"))
        raise AssertionError("a wrong password was taken")
    except pika.exceptions.ProbableAuthenticationError:
        pass
    except pika.exceptions.AuthenticationError:
        pass


def rpc(url):
    """Direct reply-to, asked and answered on two connections."""
    name = unique("rpc")
    ready = threading.Event()

    def answer():
        with connect(url) as connection:
            channel = connection.channel()
            channel.queue_declare(name, exclusive=True)

            def on_request(_channel, method, properties, body):
                channel.basic_publish("", properties.reply_to, body.upper())
                if body == b"last":
                    channel.stop_consuming()

            channel.basic_consume(name, on_request, auto_ack=True)
            ready.set()
            channel.start_consuming()

    thread = threading.Thread(target=answer)
    thread.start()
    ready.wait(LIMIT_SECONDS)
    with connect(url) as connection:
        channel = connection.channel()
        answers = []
        channel.basic_consume("amq.rabbitmq.reply-to", lambda _c, _m, _p, body: answers.append(body), auto_ack=True)
        for word in (b"first", b"last"):
            channel.basic_publish("", name, word, pika.BasicProperties(reply_to="amq.rabbitmq.reply-to"))
        while len(answers) < 2:
            connection.process_data_events(time_limit=1)
        expect(answers, [b"FIRST", b"LAST"])
    thread.join()


def select(url):
    """The asynchronous connection: 2,000 messages confirmed and consumed, batches of acks."""
    count = 2000
    state = {"confirmed": 0, "received": []}
    queue = unique("select")

    def on_open(connection):
        connection.channel(on_open_callback=on_channel)

    def on_channel(channel):
        channel.queue_declare(queue, exclusive=True, callback=lambda _f: on_declared(channel))

    def on_declared(channel):
        channel.confirm_delivery(lambda frame: on_confirm(channel, frame))
        channel.basic_qos(prefetch_count=100, callback=lambda _f: None)
        channel.basic_consume(queue, on_message)
        for index in range(count):
            channel.basic_publish("", queue, str(index).encode())

    def on_confirm(channel, frame):
        method = frame.method
        if not isinstance(method, pika.spec.Basic.Ack):
            raise AssertionError(f"not confirmed: {method}")
        state["confirmed"] = method.delivery_tag
        end_if_done(channel)

    def on_message(channel, method, _properties, body):
        state["received"].append(int(body))
        if len(state["received"]) % 50 == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
        end_if_done(channel)

    def end_if_done(channel):
        if state["confirmed"] == count and len(state["received"]) == count:
            channel.connection.close()

    connection = pika.SelectConnection(
        pika.URLParameters(url + "/%2F"),
        on_open_callback=on_open,
        on_close_callback=lambda closed, _reason: closed.ioloop.stop(),
    )
    connection.ioloop.call_later(LIMIT_SECONDS, connection.ioloop.stop)
    connection.ioloop.start()
    expect(state["received"], list(range(count)))


CHECKS = (confirms, overflow, settle, routing, transactions, cancel, errors, rpc, select)

if __name__ == "__main__":
    {check.__name__: check for check in CHECKS}[sys.argv[2]](sys.argv[1])
