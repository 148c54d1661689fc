"""What ministack is known not to do. Each limit is tried: one that is gone is a failed check, which asks for the real one."""
import json
import time

from botocore.exceptions import ClientError

from stack import BACKUP, OTHER, until


def limits(checks, stack):
    cross_account(checks, stack)
    waiting = machine(stack, "limits-heartbeat", {"HeartbeatSeconds": 2})
    retried = machine(stack, "limits-token", {"Retry": [
        {"ErrorEquals": ["Again"], "IntervalSeconds": 1, "BackoffRate": 100, "MaxDelaySeconds": 2}]})
    attempts(checks, stack, *retried)
    heartbeat(checks, stack, *waiting)
    redrive(checks, stack, retried[1])


def limit(checks, name, there, reason):
    """Skipped while the limit is there."""
    if there:
        checks.skip(name, reason)
    else:
        checks.that(name, False, "ministack can do it now: take it off the limits and check it for real")


def cross_account(checks, stack):
    owner, copier = stack.client("s3", account=OTHER), stack.client("s3")
    owner.create_bucket(Bucket="limits-source")
    copier.create_bucket(Bucket="limits-target")
    owner.put_object(Bucket="limits-source", Key="a", Body=b"a")
    allow = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{BACKUP}:root"}, "Action": "s3:*",
             "Resource": ["arn:aws:s3:::limits-source", "arn:aws:s3:::limits-source/*"]}
    owner.put_bucket_policy(Bucket="limits-source", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    there = code(copier.copy_object, Bucket="limits-target", Key="a", CopySource={"Bucket": "limits-source", "Key": "a"})
    limit(checks, "source in another account", there,
          f"ministack answers {there} to a copy from a bucket of another account that may be read; all buckets are of one account")
    copier.put_object(Bucket="limits-target", Key="a", Body=b"a")
    ignored = code(copier.get_object, Bucket="limits-target", Key="a", ExpectedBucketOwner=OTHER) is None
    limit(checks, "expected bucket owner", ignored, "ministack does not look at x-amz-expected-bucket-owner")


def machine(stack, name, fields):
    """A queue, and an execution that waits for a token from it."""
    sqs, sfn = stack.client("sqs"), stack.client("stepfunctions")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    body = {"token.$": "$$.Task.Token", "redrives.$": "$$.Execution.RedriveCount"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
            "Parameters": {"QueueUrl": url, "MessageBody": body}, **fields}
    made = sfn.create_state_machine(name=name, roleArn=f"arn:aws:iam::{BACKUP}:role/any",
                                    definition=json.dumps({"StartAt": "Wait", "States": {"Wait": task}}))
    return url, sfn.start_execution(stateMachineArn=made["stateMachineArn"])["executionArn"]


def attempts(checks, stack, url, arn):
    """Three attempts of one task: the gap before the last would be 100 s, scaled as all gaps are, and may be 2 s at most."""
    sqs, sfn = stack.client("sqs"), stack.client("stepfunctions")
    seen, gap, refused = [], 0.0, time.monotonic()
    for number in range(3):
        message = until("a message of the task", lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages"), 120)[0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        body = json.loads(message["Body"])
        gap = time.monotonic() - refused
        seen.append(body["token"])
        sfn.send_task_failure(taskToken=seen[-1], error="Again" if number < 2 else "Enough", cause="for a look at the attempts")
        refused = time.monotonic()
    limit(checks, "a new task token for every attempt", seen[0] == seen[1],
          "ministack gives a retried task the token of the attempt before, so a late worker of that attempt is not fenced off")
    limit(checks, "$$.Execution.RedriveCount", body["redrives"] is None,
          "the context object of ministack has none, where AWS has 0; the deployed definition says 0")
    limit(checks, "MaxDelaySeconds of Retry", gap > 4,
          f"ministack takes and ignores it, as it does JitterStrategy: a gap of 2 s, scaled by 0.1, was {gap:.1f} s")
    until("the execution of limits-token fails", lambda: sfn.describe_execution(executionArn=arn)["status"] == "FAILED", 120)


def heartbeat(checks, stack, url, arn):
    sqs, sfn = stack.client("sqs"), stack.client("stepfunctions")
    until("a message of the task", lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages"), 120)
    try:
        until("the heartbeat times out", lambda: sfn.describe_execution(executionArn=arn)["status"] != "RUNNING", 20)
        there = False
    except AssertionError:
        there = True
    limit(checks, "Retry of a stage whose worker died, by States.HeartbeatTimeout", there,
          "heartbeats never time out in ministack; the queue gives the message to another worker instead, which is checked")
    sfn.stop_execution(executionArn=arn)


def redrive(checks, stack, arn):
    there = code(stack.client("stepfunctions").redrive_execution, executionArn=arn)
    reason = f"ministack answers {there} to RedriveExecution"
    for name in ("redrive of a failed execution: only the failed state again, with its input",
                 "redrive after a job that failed: JobPoll answers `resubmit`",
                 "redrive after failed rows: ReportParse answers `retry` with exactly these rows"):
        limit(checks, name, there, f"{reason}; a new execution takes over the claim instead, which is checked")


def code(call, **arguments):
    """The error code that a call is answered with; nothing when it succeeds."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None
