#!/usr/bin/env python3
"""Drive the twin with boto3. Endpoint and credentials come from the environment; nothing else is set."""
import hashlib
import json
import sys
import time
import traceback
import uuid

import boto3
from botocore.exceptions import ClientError

RUN = uuid.uuid4().hex[:8]
ACCOUNT = boto3.session.Session().get_credentials().access_key
KEYS = ["plain.txt", "date=2026-03-31/part 0+1.parquet", "ts=12%3A00/ünïcode 西.parquet", "a,b\"c'd.txt", "new\nline.txt"]


def wait_for(what, probe, seconds=120):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = probe()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not within {seconds} s")


def code_of(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def bucket(s3, name):
    name = f"{name}-{RUN}"
    s3.create_bucket(Bucket=name)
    return name


def drive_buckets():
    s3 = boto3.client("s3")
    name = bucket(s3, "boto3-objects")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    for key in KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode() * 10, Metadata={"origin": "boto3"}, Tagging="kind=a%20b")
    listed = [one["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name, PaginationConfig={"PageSize": 2})
              for one in page["Contents"]]
    assert sorted(listed) == sorted(KEYS), listed
    got = s3.get_object(Bucket=name, Key=KEYS[2])
    assert got["Body"].read() == KEYS[2].encode() * 10 and got["Metadata"] == {"origin": "boto3"}
    assert s3.get_object(Bucket=name, Key=KEYS[0], Range="bytes=1-3")["Body"].read() == b"lai"
    assert s3.get_object_tagging(Bucket=name, Key=KEYS[1])["TagSet"] == [{"Key": "kind", "Value": "a b"}]
    assert code_of(s3.put_object, Bucket=name, Key=KEYS[0], Body=b"", IfNoneMatch="*") == "PreconditionFailed"
    assert code_of(s3.get_object, Bucket=name, Key="nothing") == "NoSuchKey"
    assert code_of(s3.list_objects_v2, Bucket=name, ExpectedBucketOwner="999999999999") == "AccessDenied"
    s3.copy_object(Bucket=name, Key="copy", CopySource={"Bucket": name, "Key": KEYS[1]})
    assert s3.get_object(Bucket=name, Key="copy")["Metadata"] == {"origin": "boto3"}
    s3.delete_object(Bucket=name, Key="copy")
    versions = s3.list_object_versions(Bucket=name, Prefix="copy")
    assert len(versions["Versions"]) == 1 and len(versions["DeleteMarkers"]) == 1
    multipart(s3, name)


def multipart(s3, name):
    part = b"0123456789abcdef" * (5 * 1024 * 1024 // 16)
    upload = s3.create_multipart_upload(Bucket=name, Key="large", Metadata={"parts": "two"})["UploadId"]
    first = s3.upload_part(Bucket=name, Key="large", UploadId=upload, PartNumber=1, Body=part)["ETag"]
    second = s3.upload_part_copy(Bucket=name, Key="large", UploadId=upload, PartNumber=2,
                                 CopySource={"Bucket": name, "Key": KEYS[0]})["CopyPartResult"]["ETag"]
    parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
    s3.complete_multipart_upload(Bucket=name, Key="large", UploadId=upload, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket=name, Key="large")
    assert got["ETag"].endswith('-2"') and got["Body"].read() == part + KEYS[0].encode() * 10


def drive_queues():
    sqs = boto3.client("sqs")
    dead = sqs.create_queue(QueueName=f"boto3-dead-{RUN}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    url = sqs.create_queue(QueueName=f"boto3-{RUN}", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    assert sqs.get_queue_url(QueueName=f"boto3-{RUN}")["QueueUrl"] == url
    sqs.send_message(QueueUrl=url, MessageBody="good")
    message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
    assert message["Body"] == "good"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    poison = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, VisibilityTimeout=0)["Messages"][0]
    assert poison["Body"] == "poison"
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=5)["Messages"][0]["Body"] == "poison"
    assert code_of(sqs.get_queue_url, QueueName="nothing") in ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


def drive_state_machine():
    """A task token that is answered with a failure, a redrive, and a new token that is answered with a success."""
    sqs, sfn = boto3.client("sqs"), boto3.client("stepfunctions")
    url = sqs.create_queue(QueueName=f"boto3-tasks-{RUN}")["QueueUrl"]
    definition = {"StartAt": "Work", "States": {"Work": {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
        "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token", "redrives.$": "$$.Execution.RedriveCount"}},
        "TimeoutSeconds": 60, "HeartbeatSeconds": 30, "ResultPath": "$.result"}}}
    machine = sfn.create_state_machine(name=f"boto3-{RUN}", definition=json.dumps(definition),
                                       roleArn=f"arn:aws:iam::{ACCOUNT}:role/any")["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=machine, name="one", input='{"a":1}')["executionArn"]

    def task():
        message = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])

    def ended():
        seen = sfn.describe_execution(executionArn=execution)
        return seen if seen["status"] != "RUNNING" else None

    first = task()
    sfn.send_task_heartbeat(taskToken=first["token"])
    sfn.send_task_failure(taskToken=first["token"], error="Levee.Example", cause="to be mended")
    failed = wait_for("the failure", ended)
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "Levee.Example", "to be mended"), failed
    sfn.redrive_execution(executionArn=execution)
    second = task()
    assert second["token"] != first["token"] and int(second["redrives"]) == 1, second
    assert code_of(sfn.send_task_success, taskToken=first["token"], output="{}") in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken")
    sfn.send_task_success(taskToken=second["token"], output='{"b":2}')
    done = wait_for("the success", ended)
    assert done["status"] == "SUCCEEDED" and json.loads(done["output"]) == {"a": 1, "result": {"b": 2}}, done
    kinds = [event["type"] for event in sfn.get_execution_history(executionArn=execution)["events"]]
    assert "ExecutionRedriven" in kinds and kinds[-1] == "ExecutionSucceeded", kinds


def drive_schedule():
    """A schedule that sends to a queue at once, and one that is due in a moment and deletes itself."""
    sqs, scheduler = boto3.client("sqs"), boto3.client("scheduler")
    url = sqs.create_queue(QueueName=f"boto3-scheduled-{RUN}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    group = scheduler.create_schedule_group(Name=f"boto3-{RUN}", Tags=[{"Key": "a", "Value": "b"}])["ScheduleGroupArn"]
    assert scheduler.list_tags_for_resource(ResourceArn=group)["Tags"] == [{"Key": "a", "Value": "b"}]
    target = {"Arn": arn, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/any", "Input": "<aws.scheduler.schedule-arn> <aws.scheduler.attempt-number>"}
    common = {"GroupName": f"boto3-{RUN}", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    made = scheduler.create_schedule(Name="rate", ScheduleExpression="rate(1 minute)", **common)["ScheduleArn"]
    assert code_of(scheduler.create_schedule, Name="rate", ScheduleExpression="rate(1 minute)", **common) == "ConflictException"
    assert code_of(scheduler.create_schedule, Name="bad", ScheduleExpression="cron(* * * * * *)", **common) == "ValidationException"
    assert code_of(scheduler.get_schedule, Name="nothing") == "ResourceNotFoundException"

    def received():
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", ())
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return message["Body"]

    assert wait_for("the first invocation", received, 20) == f"{made} 1"
    seen = scheduler.get_schedule(Name="rate", GroupName=f"boto3-{RUN}")
    assert seen["State"] == "ENABLED" and seen["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 185, seen
    scheduler.delete_schedule(Name="rate", GroupName=f"boto3-{RUN}")
    soon = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 2))
    once = scheduler.create_schedule(Name="once", ScheduleExpression=f"at({soon})", ActionAfterCompletion="DELETE", **common)["ScheduleArn"]
    assert wait_for("the one-time invocation", received, 20) == f"{once} 1"
    names = lambda: [one["Name"] for one in scheduler.list_schedules(GroupName=f"boto3-{RUN}")["Schedules"]]
    assert wait_for("the end of the schedule", lambda: not names(), 10)
    scheduler.delete_schedule_group(Name=f"boto3-{RUN}")


def drive_night():
    """An inventory, and a batch job that copies what it lists, with its report."""
    s3, control = boto3.client("s3"), boto3.client("s3control")
    source, target, manifests, reports = (bucket(s3, f"boto3-{name}") for name in ("source", "target", "manifests", "reports"))
    for key in KEYS:
        s3.put_object(Bucket=source, Key=key, Body=key.encode(), Metadata={"origin": "boto3"}, Tagging="kind=a%20b")
    s3.put_bucket_policy(Bucket=manifests, Policy=json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{manifests}/*"}]}))
    s3.put_bucket_inventory_configuration(Bucket=source, Id="daily", InventoryConfiguration={
        "Id": "daily", "IsEnabled": True, "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"},
        "OptionalFields": ["Size", "ETag"],
        "Destination": {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{manifests}", "Format": "CSV", "Prefix": "inv", "AccountId": ACCOUNT}}})

    def delivered():
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=manifests).get("Contents", ())]
        return [key for key in keys if key.endswith("/manifest.json") and key.replace(".json", ".checksum") in keys]

    key = wait_for("the inventory", delivered)[0]
    manifest = s3.get_object(Bucket=manifests, Key=key)
    body = manifest["Body"].read()
    checksum = s3.get_object(Bucket=manifests, Key=key.replace(".json", ".checksum"))["Body"].read().decode().strip()
    assert hashlib.md5(body).hexdigest() == checksum and json.loads(body)["sourceBucket"] == source
    job = control.create_job(
        AccountId=ACCOUNT, ConfirmationRequired=False, Priority=10, ClientRequestToken=f"boto3-{RUN}",
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/copy", Description="boto3",
        Operation={"S3PutObjectCopy": {"TargetResource": f"arn:aws:s3:::{target}"}},
        Manifest={"Spec": {"Format": "S3InventoryReport_CSV_20161130"},
                  "Location": {"ObjectArn": f"arn:aws:s3:::{manifests}/{key}", "ETag": manifest["ETag"].strip('"')}},
        Report={"Enabled": True, "Bucket": f"arn:aws:s3:::{reports}", "Format": "Report_CSV_20180820",
                "Prefix": "reports", "ReportScope": "AllTasks"})["JobId"]

    def ended():
        seen = control.describe_job(AccountId=ACCOUNT, JobId=job)["Job"]
        return seen if seen["Status"] in ("Complete", "Failed", "Cancelled") else None

    seen = wait_for("the job", ended)
    assert seen["Status"] == "Complete" and seen["ProgressSummary"]["NumberOfTasksSucceeded"] == len(KEYS), seen
    assert job in [one["JobId"] for one in control.list_jobs(AccountId=ACCOUNT)["Jobs"]]
    for key in KEYS:
        copy = s3.get_object(Bucket=target, Key=key)
        assert copy["Body"].read() == key.encode() and copy["Metadata"] == {"origin": "boto3"}
        assert s3.get_object_tagging(Bucket=target, Key=key)["TagSet"] == [{"Key": "kind", "Value": "a b"}]
    report = json.loads(s3.get_object(Bucket=reports, Key=f"reports/job-{job}/manifest.json")["Body"].read())
    assert [one["TaskExecutionStatus"] for one in report["Results"]] == ["succeeded"], report
    rows = s3.get_object(Bucket=reports, Key=report["Results"][0]["Key"])["Body"].read()
    assert hashlib.md5(rows).hexdigest() == report["Results"][0]["MD5Checksum"]
    assert rows.count(b"succeeded") == len(KEYS), rows


def main():
    failed = 0
    for drive in (drive_buckets, drive_queues, drive_state_machine, drive_schedule, drive_night):
        began = time.monotonic()
        try:
            drive()
            print(f"PASS boto3 {drive.__name__[6:]} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL boto3 {drive.__name__[6:]}", flush=True)
            traceback.print_exc()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
