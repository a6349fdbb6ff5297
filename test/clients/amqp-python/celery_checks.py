"""Checks of an AMQP broker with Celery: `python celery_checks.py URL CHECK`. A worker runs as a process of its own."""

import os
import signal
import subprocess
import sys
import time
import uuid

from celery import Celery, group
from kombu import Exchange, Queue

LIMIT_SECONDS = 60
URL = os.environ.get("CELERY_CHECK_URL") or sys.argv[1]
NAME = os.environ.get("CELERY_CHECK_NAME") or f"celery-{uuid.uuid4().hex[:8]}"
LOG = os.environ.get("CELERY_CHECK_LOG") or f"/tmp/{NAME}.log"

app = Celery("celery_checks", broker=URL + "//", backend="rpc://")
app.conf.update(
    task_default_queue=NAME,
    task_queues=[
        Queue(NAME, Exchange(NAME), NAME, queue_arguments={"x-max-priority": 10}),
    ],
    task_queue_max_priority=10,
    worker_prefetch_multiplier=1,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    result_expires=600,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


def note(word):
    with open(LOG, "a", encoding="utf-8") as file:
        file.write(f"{word}\n")


def noted():
    try:
        with open(LOG, encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


@app.task
def add(left, right):
    return left + right


@app.task(bind=True, max_retries=3)
def fail_twice(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.3)
    return self.request.retries


@app.task
def when():
    return time.time()


@app.task
def write(word, seconds=0.0):
    note(word)
    time.sleep(seconds)
    return word


class Worker:
    """A worker with some processes; gone when the block ends."""

    def __init__(self, concurrency):
        self.concurrency = concurrency

    def __enter__(self):
        environment = {**os.environ, "CELERY_CHECK_URL": URL, "CELERY_CHECK_NAME": NAME, "CELERY_CHECK_LOG": LOG}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_checks", "worker", "-l", "WARNING",
             "-n", f"{uuid.uuid4().hex[:6]}@check", "-c", str(self.concurrency)],
            cwd=os.path.dirname(os.path.abspath(__file__)), env=environment, start_new_session=True,
        )
        return self

    def kill(self):
        """Ends the worker and its children at once, as a machine that is lost."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        self.kill()


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


def wait_for(what, is_done):
    end = time.time() + LIMIT_SECONDS
    while not is_done():
        if time.time() > end:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.05)


def results():
    """Results of many tasks come back over rpc://."""
    with Worker(2):
        job = group(add.s(index, index) for index in range(100)).apply_async()
        expect(job.get(timeout=LIMIT_SECONDS), [2 * index for index in range(100)])


def retries():
    """A task that fails is tried again until it does not."""
    with Worker(1):
        expect(fail_twice.delay().get(timeout=LIMIT_SECONDS), 2)


def eta():
    """A task with a countdown does not run before its time, and others overtake it."""
    with Worker(1):
        start = time.time()
        late = when.apply_async(countdown=2)
        early = when.delay().get(timeout=LIMIT_SECONDS)
        if late.get(timeout=LIMIT_SECONDS) < start + 2:
            raise AssertionError("it ran too early")
        if early > start + 30:
            raise AssertionError("it waited for the other one")


def lost():
    """With acks_late the task of a killed worker is run by another one."""
    write.delay("slow", 600)
    for attempts in (1, 2):
        with Worker(1) as worker:
            wait_for(f"attempt {attempts}", lambda: noted() == ["slow"] * attempts)
            worker.kill()
    with app.connection_for_read() as connection:
        queue = Queue(NAME, no_declare=True)(connection.default_channel)
        messages = []

        def take():
            message = queue.get()
            if message is not None:
                messages.append(message)
            return messages

        wait_for("the task to come back", take)
        expect(messages[0].delivery_info["redelivered"], True)
        messages[0].ack()


def priority():
    """Tasks of a higher priority overtake those that wait."""
    for index, value in enumerate([0, 3, 9, 5]):
        write.apply_async((f"p{value}",), priority=value)
    with Worker(1):
        wait_for("all", lambda: len(noted()) == 4)
    expect(noted(), ["p9", "p5", "p3", "p0"])


def prefetch():
    """A worker that is busy holds one task more than it runs, and another one takes the rest."""
    for index in range(6):
        write.delay(f"t{index}", 1)
    start = time.time()
    with Worker(1), Worker(1):
        wait_for("all", lambda: len(noted()) == 6)
    expect(sorted(noted()), [f"t{index}" for index in range(6)])
    if time.time() - start > 40:
        raise AssertionError("nobody helped")


def control():
    """Ping, inspect and purge go by fanout exchanges and reply queues."""
    with Worker(1):
        wait_for("the worker", lambda: app.control.ping(timeout=1))
        stats = app.control.inspect(timeout=5).stats()
        expect(len(stats), 1)
    write.delay("x")
    write.delay("y")
    purged = []

    def purge():
        purged.append(app.control.purge())
        return sum(purged) == 2

    wait_for("both to be purged", purge)


CHECKS = (results, retries, eta, lost, priority, prefetch, control)


def main():
    try:
        {check.__name__: check for check in CHECKS}[sys.argv[2]]()
    finally:
        try:
            os.remove(LOG)
        except FileNotFoundError:
            pass


if __name__ == "__main__":
    # Tasks are named after the module that the worker imports, not after __main__.
    import celery_checks

    celery_checks.main()
