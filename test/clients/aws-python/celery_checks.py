"""Checks of an SQS endpoint as Celery's broker: `python celery_checks.py URL CHECK`. A worker runs as a process of its own."""

import os
import signal
import subprocess
import sys
import time
import uuid

from celery import Celery

LIMIT_SECONDS = 60
URL = os.environ.get("CELERY_CHECK_URL") or sys.argv[1]
NAME = os.environ.get("CELERY_CHECK_NAME") or f"celery-{uuid.uuid4().hex[:8]}"
LOG = os.environ.get("CELERY_CHECK_LOG") or f"/tmp/{NAME}.log"

app = Celery("celery_checks", broker=URL.replace("http://", "sqs://any:any@"))
app.conf.update(
    task_default_queue=NAME,
    broker_transport_options={
        "region": "us-east-1", "is_secure": False, "wait_time_seconds": 5, "polling_interval": 0.1, "visibility_timeout": 5,
    },
    worker_prefetch_multiplier=1,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_enable_remote_control=False,
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
def write(word, seconds=0.0):
    note(f"begun-{word}")
    time.sleep(seconds)
    note(word)


@app.task(bind=True, max_retries=3)
def fail_twice(self):
    if self.request.retries < 2:
        raise self.retry(countdown=1)
    note(f"retries-{self.request.retries}")


class Worker:
    """A worker with some processes; gone when the block ends."""

    def __enter__(self):
        environment = {**os.environ, "CELERY_CHECK_URL": URL, "CELERY_CHECK_NAME": NAME, "CELERY_CHECK_LOG": LOG}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_checks", "worker", "-l", "WARNING",
             "-n", f"{uuid.uuid4().hex[:6]}@check", "-c", "2", "--without-gossip", "--without-mingle"],
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


def wait_for(what, is_done):
    end = time.time() + LIMIT_SECONDS
    while not is_done():
        if time.time() > end:
            raise AssertionError(f"not in time: {what}; there is {noted()}")
        time.sleep(0.05)


def tasks():
    """A hundred tasks run once each."""
    with Worker():
        for index in range(100):
            write.delay(f"w{index}")
        wait_for("all tasks", lambda: {f"w{index}" for index in range(100)} <= set(noted()))
    done = [word for word in noted() if not word.startswith("begun")]
    if len(done) != 100:
        raise AssertionError(f"{len(done)} runs of 100 tasks")


def retries():
    """A task is tried again until it succeeds."""
    with Worker():
        fail_twice.delay()
        wait_for("the third try", lambda: "retries-2" in noted())


def lost():
    """Tasks of a killed worker run again when their visibility ends."""
    with Worker() as worker:
        for index in range(2):
            write.delay(f"w{index}", 3.0)
        wait_for("begin", lambda: {"begun-w0", "begun-w1"} <= set(noted()))
        worker.kill()
    with Worker():
        wait_for("another worker", lambda: {"w0", "w1"} <= set(noted()))


if __name__ == "__main__":
    try:
        globals()[sys.argv[2]]()
    finally:
        if os.path.exists(LOG):
            os.remove(LOG)
