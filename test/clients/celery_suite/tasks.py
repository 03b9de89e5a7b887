"""Tasks that leave a line in a journal file each time they run."""

import os
import time

from celery import Celery

JOURNAL = os.environ["TASKS_JOURNAL"]

app = Celery("tasks", broker=os.environ["TASKS_BROKER"])
app.conf.update(
    task_default_queue=os.environ["TASKS_QUEUE"],
    task_ignore_result=True,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "region": "us-east-1",
        "is_secure": False,
        "visibility_timeout": int(os.environ.get("TASKS_VISIBILITY_S", "30")),
        "wait_time_seconds": 1,
        "polling_interval": 0.1,
    },
)


def note(*words):
    with open(JOURNAL, "a", encoding="utf-8") as journal:
        print(*words, file=journal, flush=True)


@app.task
def write(word):
    note("write", word)


@app.task
def write_later(word, sent_at):
    note("later", word, f"{time.time() - sent_at:.3f}")


@app.task(bind=True, max_retries=3)
def write_on_third_try(self, word):
    note("try", word, self.request.retries)
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    note("done", word)


@app.task
def hang_the_first_time(word):
    with open(JOURNAL, encoding="utf-8") as journal:
        is_first = f"hang {word}" not in journal.read()
    note("hang", word)
    if is_first:
        time.sleep(120)
    note("done", word)
