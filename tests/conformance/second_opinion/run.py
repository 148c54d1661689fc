#!/usr/bin/env python3
"""Our state machine and the real worker programs on ministack, with batch jobs and inventories by the twin in front of it.

    run.py FOLDER [NAME…]    FOLDER holds levee and the programs of the workers; NAME chooses scenarios by a part of their name

Prints a line per check and a summary, and exits 1 when a check failed. The scenarios are executions of different sources and
run at the same time. Everything that was started is stopped by its process id; the logs are kept when something failed.
"""
import functools
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import failures
import limits
import nights
import retries
from checks import Checks
from deployment import set_up
from stack import Stack, until


def scenarios():
    """Every scenario by name; the long ones first."""
    for stage in retries.LAST_CALL:
        yield f"{stage} refused", functools.partial(retries.refused, stage=stage)
        yield f"{stage} killed", functools.partial(retries.killed, stage=stage)
    yield "failure of job-poll", failures.job_poll
    yield "failure of report-parse", failures.report_parse
    yield "vanished row", failures.vanished_row
    yield "failure of a row", failures.outstanding_row
    yield "failure of manifest-ready", failures.manifest_ready
    yield "failure of bucket-provision", failures.bucket_provision
    yield "failure of job-submit", failures.job_submit
    yield "night", nights.night
    yield "one process", nights.one_process
    yield "limits", limits.limits


def events(checks, stack, heard):
    """What the workers told the bus, through a rule and a queue of ministack."""
    sqs, told = stack.client("sqs"), set()

    def whole():
        for message in sqs.receive_message(QueueUrl=heard, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", []):
            event = json.loads(message["Body"])
            told.add((event["detail-type"], event["detail"]["source"]))
            sqs.delete_message(QueueUrl=heard, ReceiptHandle=message["ReceiptHandle"])
        return wanted <= told

    wanted = {("Run Started", "lake-night"), ("Run Started", "lake-all"), ("Copy Failures", "lake-outstanding")}
    try:
        until("the events arrive", whole, 600)
    except AssertionError:
        pass
    checks.that("events: runs that started and rows that failed are told to the bus", wanted <= told, f"without {wanted - told}")
    wrong = [event for event in told if event[0] == "Copy Failures" and event[1] != "lake-outstanding"]
    checks.that("events: no other run tells of failed rows", not wrong, f"{wrong}")


def play(checks, stack, chosen):
    stack.start()
    heard = set_up(stack)
    with ThreadPoolExecutor(max_workers=32) as pool:
        for name, scenario in scenarios():
            if not chosen or any(part in name for part in chosen):
                pool.submit(checks.scenario, name, functools.partial(scenario, checks, stack))
    if not chosen:
        events(checks, stack, heard)


def broken_off(stack, logs):
    """Ends every process and then this one, without waiting for scenarios that wait for theirs."""
    stack.stop()
    print(f"broken off; the logs of every process are in {logs}", file=sys.stderr, flush=True)
    os._exit(1)


def main(programs, *chosen):
    logs = pathlib.Path(tempfile.mkdtemp(prefix="levee-second-opinion-"))
    checks, stack = Checks(), Stack(programs, logs)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: broken_off(stack, logs))
    try:
        checks.scenario("the run", lambda: play(checks, stack, chosen))
    finally:
        stack.stop()
        if checks.counts["FAIL"] or not checks.counts["PASS"]:
            print(f"the logs of every process are in {logs}", file=sys.stderr)
        else:
            shutil.rmtree(logs)
    print(checks.summary())
    return 1 if checks.counts["FAIL"] or not checks.counts["PASS"] else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
