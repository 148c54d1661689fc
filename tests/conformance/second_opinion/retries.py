"""Retry of every stage: a worker killed in the middle of its work, and a service that refuses for too long."""
import signal

from deployment import Deployment
from failures import COUNT, others
from nights import good, objects
from proxy import Proxy
from stack import until

# The call at which the worker of a stage of every night is killed: as late as can be, with the most done and nothing told.
LAST_CALL = {
    "manifest-ready": ("PUT", "/01-manifest-ready.json"),
    "bucket-provision": ("PUT", "?policy"),
    "job-submit": ("PUT", "/03-job-submit-attempt-1.json"),
    "job-poll": ("PUT", "/04-job-poll-attempt-1.json"),
    "report-parse": ("PUT", "/05-report-parse-attempt-1.json"),
    "snapshot-check": ("PUT", "/07-snapshot-check-attempt-1.json"),
    "table-verify": ("PUT", "/08-table-verify.json"),
    "run-close": ("PUT", "/receipt.json"),
}
# Stages that lean on S3 Control more than on S3.
OF_CONTROL = ("job-submit", "job-poll")


def ready(stack, name):
    deployment = Deployment(stack, name, objects(COUNT))
    deployment.inventory()
    return deployment


def killed(checks, stack, stage):
    deployment = ready(stack, f"kill-{stage}")
    method, part = LAST_CALL[stage]
    proxy = Proxy(stack.ministack, lambda called, path: called == method and part in path, hold=True)
    try:
        others(stack, deployment, stage)
        victim = stack.worker(deployment.prefix, [stage], program=True, AWS_ENDPOINT_URL_S3=proxy.url)
        arn = deployment.execute("first")
        at_work = proxy.held.wait(150)
        checks.that(f"{stage} killed: it was in the middle of its work", at_work, f"no {method} of {part} came")
        victim.kill()
        died = victim.wait(10)
        checks.that(f"{stage} killed: by SIGKILL", died == -signal.SIGKILL, f"exit code {died}")
    finally:
        proxy.close()
    stack.worker(deployment.prefix, [stage], program=True)
    good(checks, f"{stage} killed", deployment, "first", deployment.ended(arn))
    buckets = [one["Name"] for one in deployment.s3.list_buckets()["Buckets"] if one["Name"].startswith(f"{deployment.source}-")]
    checks.that(f"{stage} killed: exactly one snapshot bucket was made", buckets == [deployment.snapshot], f"{buckets}")


def refused(checks, stack, stage):
    """503 SlowDown until the worker gives up and the state machine tries the stage again."""
    deployment = ready(stack, f"slow-{stage}")
    control = stage in OF_CONTROL
    proxy = Proxy(stack.twin if control else stack.ministack, lambda *_: True, hold=False)
    variable = "AWS_ENDPOINT_URL_S3_CONTROL" if control else "AWS_ENDPOINT_URL_S3"
    try:
        others(stack, deployment, stage)
        stack.worker(deployment.prefix, [stage], program=True, **{variable: proxy.url})
        arn = deployment.execute("first")
        found = _gave_up(deployment, arn)
        checks.that(f"{stage} refused: the worker tried for a while, then gave up with Levee.AwsUnavailable",
                    found and proxy.refused > 3, f"{proxy.refused} calls were refused; {deployment.events(arn)[-3:]}")
        proxy.heal()
        end = deployment.ended(arn)
    finally:
        proxy.close()
    good(checks, f"{stage} refused", deployment, "first", end)
    state = "".join(part.capitalize() for part in stage.split("-"))
    history = deployment.events(arn)
    tried = _tries(history, state)
    checks.that(f"{stage} refused: Retry of the state machine tried it once more", tried == 2, f"{tried} tries: {history}")


def _gave_up(deployment, arn):
    given_up = lambda: any(details.get("error") == "Levee.AwsUnavailable" for _, details in deployment.events(arn))
    try:
        return until("the worker gives up", given_up, 900)
    except AssertionError:
        return False


def _tries(history, state):
    """How often the task of a state was scheduled."""
    within, count = None, 0
    for kind, details in history:
        if kind.endswith("StateEntered"):
            within = details.get("name")
        count += kind == "TaskScheduled" and within == state
    return count
