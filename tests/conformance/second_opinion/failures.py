"""A failure of every stage with its name and cause, and the night that takes over once it is mended.

ministack has no redrive, so what a redrive would do to the same execution is shown by a new one, which takes the claim over.
"""
import json
import urllib.parse

from deployment import Deployment
from nights import good, objects
from stack import BACKUP, MANIFESTS, OTHER, REPORTS, STAGES

COUNT = 12


def deployment_of(stack, name):
    deployment = Deployment(stack, name, objects(COUNT))
    deployment.folder = deployment.inventory()
    return deployment


def others(stack, deployment, stage, **changes):
    """Workers for all stages but one."""
    return stack.worker(deployment.prefix, [name for name in STAGES if name != stage], **changes)


def failed(checks, stage, deployment, arn, error, *told):
    """The execution fails with this error, in this state, and tells the operator what it must."""
    end = deployment.ended(arn)
    checks.that(f"failure of {stage}: the execution fails with {error}",
                (end["status"], end.get("error")) == ("FAILED", error), f"{end['status']} {end.get('error')}: {end.get('cause')}")
    cause = end.get("cause") or ""
    missing = [text for text in told if text not in cause]
    checks.that(f"failure of {stage}: the cause names what happened, to what, and what to do", not missing,
                f"{missing} not in {cause!r}")
    state = "".join(part.capitalize() for part in stage.split("-"))
    entered = [details.get("name") for kind, details in deployment.events(arn) if kind == "TaskStateEntered"]
    checks.that(f"failure of {stage}: it fails in the state {state}", entered[-1:] == [state], f"{entered}")


def taken_over(checks, stage, deployment, jobs=1, inventory="daily"):
    """A new execution of the same source and day finishes the night."""
    end = deployment.ended(deployment.execute("second", inventory))
    good(checks, f"{stage} mended, taken over", deployment, "second", end, claim="claim-0002.json", jobs=jobs)


def manifest_ready(checks, stack):
    deployment = deployment_of(stack, "corrupt-manifest")
    key = f"{deployment.folder}manifest.checksum"
    right = deployment.s3.get_object(Bucket=MANIFESTS, Key=key)["Body"].read()
    deployment.s3.put_object(Bucket=MANIFESTS, Key=key, Body=b"0" * 32)
    stack.worker(deployment.prefix, STAGES)
    arn = deployment.execute("first")
    failed(checks, "manifest-ready", deployment, arn, "Levee.ManifestCorrupt", deployment.folder, "Nothing was copied", "redrive")
    checks.that("failure of manifest-ready: no bucket and no job was made",
                not deployment.exists(deployment.snapshot) and not deployment.jobs(), deployment.jobs())
    deployment.s3.put_object(Bucket=MANIFESTS, Key=key, Body=right)
    taken_over(checks, "manifest-ready", deployment)


def bucket_provision(checks, stack):
    deployment = deployment_of(stack, "taken-name")
    stranger = stack.client("s3", account=OTHER)
    stranger.create_bucket(Bucket=deployment.snapshot)
    stack.worker(deployment.prefix, STAGES)
    arn = deployment.execute("first")
    failed(checks, "bucket-provision", deployment, arn, "Levee.BucketOwnedByOther", deployment.snapshot, BACKUP, "redrive")
    untouched = stranger.list_objects_v2(Bucket=deployment.snapshot)["KeyCount"] == 0 and not deployment.jobs()
    checks.that("failure of bucket-provision: nothing was copied into the stranger's bucket", untouched, deployment.jobs())
    stranger.delete_bucket(Bucket=deployment.snapshot)
    taken_over(checks, "bucket-provision", deployment)


def job_submit(checks, stack):
    deployment = deployment_of(stack, "denied-job")
    others(stack, deployment, "job-submit")
    role = "arn:aws:iam::333333333333:role/levee-batch-copy"
    wrong = stack.worker(deployment.prefix, ["job-submit"], program=True, LEVEE_COPY_ROLE_ARN=role)
    arn = deployment.execute("first")
    failed(checks, "job-submit", deployment, arn, "Levee.JobRejected", role, deployment.snapshot, "redrive")
    checks.that("failure of job-submit: no job was made", not deployment.jobs(), deployment.jobs())
    stack.stop(wrong)
    stack.worker(deployment.prefix, ["job-submit"], program=True)
    taken_over(checks, "job-submit", deployment)


def job_poll(checks, stack):
    """The data of the inventory is gone when the job reads it."""
    deployment = deployment_of(stack, "failed-job")
    others(stack, deployment, "job-submit")
    arn = deployment.execute("first")
    deployment.recorded("first", "02-bucket-provision.json")
    manifest = json.loads(deployment.s3.get_object(Bucket=MANIFESTS, Key=f"{deployment.folder}manifest.json")["Body"].read())
    (data,) = [file["key"] for file in manifest["files"]]
    deployment.s3.delete_object(Bucket=MANIFESTS, Key=data)
    stack.worker(deployment.prefix, ["job-submit"], program=True)
    failed(checks, "job-poll", deployment, arn, "Levee.CopyJobFailed", "NoSuchKey", data, "redrive")
    (job,) = deployment.jobs()
    checks.that("failure of job-poll: the job has failed", job["Status"] == "Failed", job)
    failure = deployment.record("first", "04-job-poll-attempt-1-failed.json")
    checks.that("failure of job-poll: the ledger has the failed job", failure["job_id"] == job["JobId"], failure)
    # Another delivery, and so another manifest and another job.
    deployment.inventory("again")
    taken_over(checks, "job-poll", deployment, jobs=2, inventory="again")


def report_parse(checks, stack):
    """Somebody has changed a result file of the report."""
    deployment = deployment_of(stack, "changed-report")
    others(stack, deployment, "report-parse")
    arn = deployment.execute("first")
    deployment.recorded("first", "04-job-poll-attempt-1.json")
    (job,) = deployment.jobs()
    (result,) = [key for key in deployment.keys(REPORTS) if f"/job-{job['JobId']}/results/" in key]
    right = deployment.s3.get_object(Bucket=REPORTS, Key=result)["Body"].read()
    deployment.s3.put_object(Bucket=REPORTS, Key=result, Body=right.rsplit(b"\n", 2)[0] + b"\n")
    stack.worker(deployment.prefix, ["report-parse"], program=True)
    failed(checks, "report-parse", deployment, arn, "Levee.ReportDoesNotReconcile", job["JobId"], "redrive")
    deployment.s3.put_object(Bucket=REPORTS, Key=result, Body=right)
    taken_over(checks, "report-parse", deployment)


def vanished_row(checks, stack):
    """An object is gone when its row is copied: that is explained, and all others are copied."""
    deployment = deployment_of(stack, "vanished")
    others(stack, deployment, "job-submit")
    arn = deployment.execute("first")
    deployment.recorded("first", "02-bucket-provision.json")
    gone = sorted(deployment.objects)[0]
    deployment.s3.delete_object(Bucket=deployment.source, Key=gone)
    stack.worker(deployment.prefix, ["job-submit"], program=True)
    end = deployment.ended(arn)
    checks.that("vanished row: the execution succeeds", end["status"] == "SUCCEEDED", f"{end.get('error')}: {end.get('cause')}")
    deployment.objects.pop(gone)
    difference = deployment.difference()
    checks.that("vanished row: every other object is copied", not difference, difference)
    report = deployment.record("first", "05-report-parse-attempt-1.json")
    counts = (report["copied_in_all"], report["vanished_in_all"], report["rows"])
    checks.that("vanished row: the ledger counts it", counts == (COUNT - 1, 1, COUNT), f"{counts}")
    listed = [row["key"] for row in deployment.list("first", "05-report-parse-attempt-1-vanished.jsonl")]
    checks.that("vanished row: the ledger names it", listed == [gone], f"{listed}")


def outstanding_row(checks, stack):
    """An object is gone when its row is copied, and is back when it is looked for: without retries somebody has to ask."""
    deployment = deployment_of(stack, "outstanding")
    stack.worker(deployment.prefix, [name for name in STAGES if name not in ("job-submit", "report-parse")])
    arn = deployment.execute("first", retries=0)
    deployment.recorded("first", "02-bucket-provision.json")
    key = sorted(deployment.objects)[0]
    body = deployment.s3.get_object(Bucket=deployment.source, Key=key)
    tags = deployment.s3.get_object_tagging(Bucket=deployment.source, Key=key)["TagSet"]
    again = {"Key": key, "Body": body["Body"].read(), "Metadata": body["Metadata"], "ContentType": body["ContentType"],
             "Tagging": urllib.parse.urlencode({tag["Key"]: tag["Value"] for tag in tags})}
    deployment.s3.delete_object(Bucket=deployment.source, Key=key)
    stack.worker(deployment.prefix, ["job-submit"], program=True)
    deployment.recorded("first", "04-job-poll-attempt-1.json")
    deployment.s3.put_object(Bucket=deployment.source, **again)
    stack.worker(deployment.prefix, ["report-parse"], program=True)
    failed(checks, "report-parse", deployment, arn, "Levee.CopyIncomplete", "1 of 12", "throttled", key, "redrive")
    # The second execution finds the job of the first, and copies the row again by itself.
    end = deployment.ended(deployment.execute("second"))
    checks.that("outstanding row: a retry copies it", end["status"] == "SUCCEEDED", f"{end.get('error')}: {end.get('cause')}")
    difference = deployment.difference()
    checks.that("outstanding row: every object is copied", not difference, difference)
    report = deployment.record("second", "05-report-parse-attempt-2.json")
    counts = (report["rows"], report["copied_in_all"], len(deployment.jobs()))
    checks.that("outstanding row: only it is copied again, by a job of its own", counts == (1, COUNT, 2), f"{counts}")
