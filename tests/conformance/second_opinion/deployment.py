"""One source bucket with queues and a state machine of its own, and what can be seen of its runs."""
import datetime
import json
import pathlib
import re

from botocore.exceptions import ClientError

from stack import BACKUP, BUS, LEDGER, MANIFESTS, REPORTS, STAGES, until

DEFINITION = pathlib.Path(__file__).parents[3] / "statemachine" / "backup.asl.json"
# AWS has 0 there until the first redrive (recorded in `context_object`); ministack has nothing, and no redrive either. So the
# number that AWS would fill in stands in the definition: the one change to it, and `limits.py` says when it can go.
REDRIVE_COUNT = ('"RedriveCount.$": "$$.Execution.RedriveCount"', '"RedriveCount": 0')
# English and lower case whatever the locale.
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
RECORDS = ["01-manifest-ready.json", "02-bucket-provision.json", "03-job-submit-attempt-1.json",
           "04-job-poll-attempt-1.json", "05-report-parse-attempt-1.json"]


def set_up(stack):
    """What all sources share: Levee's buckets, the bus, and a queue that hears every event on it."""
    s3, events, sqs = stack.client("s3"), stack.client("events"), stack.client("sqs")
    for bucket in (LEDGER, MANIFESTS, REPORTS):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    events.create_event_bus(Name=BUS)
    events.put_rule(Name="everything", EventBusName=BUS, EventPattern=json.dumps({"source": ["levee"]}))
    heard = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=heard, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_targets(Rule="everything", EventBusName=BUS, Targets=[{"Id": "heard", "Arn": arn}])
    return heard


class Deployment:
    def __init__(self, stack, name, objects):
        self.stack, self.source, self.prefix = stack, f"lake-{name}", f"levee-{name}-"
        self.s3, self.sqs, self.sfn = stack.client("s3"), stack.client("sqs"), stack.client("stepfunctions")
        self.twin_s3, self.control = stack.client("s3", endpoint=stack.twin), stack.control()
        self.objects = dict(objects)
        self.date = datetime.datetime.now(datetime.timezone.utc).date()
        self.snapshot = f"{self.source}-{self.date.day:02}-{MONTHS[self.date.month - 1]}-{self.date.year}"
        self.s3.create_bucket(Bucket=self.source)
        for key, body in self.objects.items():
            self.s3.put_object(Bucket=self.source, Key=key, Body=body, Metadata={"origin": f"of {len(body)} bytes"},
                               Tagging="kind=a%20b&layer=bronze", ContentType="application/x-levee")
        self.dead_letters = []
        self.machine = self._deploy()

    def _deploy(self):
        for stage in STAGES:
            dead = self.sqs.create_queue(QueueName=f"{self.prefix}{stage}-dlq")["QueueUrl"]
            arn = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            url = self.sqs.create_queue(QueueName=f"{self.prefix}{stage}", Attributes={
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})})["QueueUrl"]
            self.dead_letters.append(dead)
        definition = DEFINITION.read_text().replace("${queue_url_prefix}", url.removesuffix(STAGES[-1]))
        # Restores and drills have definitions of their own, with further stages.
        assert definition.count(REDRIVE_COUNT[0]) == definition.count('"QueueUrl"') > 0, "the messages of the definition have changed"
        definition = definition.replace(*REDRIVE_COUNT)
        assert "${" not in definition, "the definition has a placeholder that is not known here"
        return self.sfn.create_state_machine(
            name=f"{self.prefix}backup", definition=definition, roleArn=f"arn:aws:iam::{BACKUP}:role/levee-state-machine",
        )["stateMachineArn"]

    def inventory(self, name="daily"):
        """Has the twin describe the source, and waits for the delivery. The folder of its manifest."""
        self.twin_s3.put_bucket_inventory_configuration(Bucket=self.source, Id=name, InventoryConfiguration={
            "Id": name, "IsEnabled": True, "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"},
            "OptionalFields": ["Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded"],
            "Destination": {"S3BucketDestination": {"AccountId": BACKUP, "Bucket": f"arn:aws:s3:::{MANIFESTS}",
                                                    "Format": "CSV", "Prefix": "inventory"}}})
        base = f"inventory/{self.source}/{name}/"

        def delivered():
            return [key for key in self.keys(MANIFESTS, base) if key.endswith("/manifest.checksum")]

        return until(f"the inventory {name} of {self.source} is delivered", delivered, 600)[0].removesuffix("manifest.checksum")

    def execute(self, name, inventory="daily", **more):
        run = {"source": self.source, "source_account": BACKUP, "backup_date": self.date.isoformat(), "settle_days": 0,
               "inventory": {"bucket": MANIFESTS, "prefix": "inventory", "id": inventory}, **more}
        started = self.sfn.start_execution(stateMachineArn=self.machine, name=name, input=json.dumps({"run": run}))
        return started["executionArn"]

    def ended(self, arn, seconds=900):
        def look():
            seen = self.sfn.describe_execution(executionArn=arn)
            return seen if seen["status"] != "RUNNING" else None

        return until(f"the execution {arn.rsplit(':', 1)[1]} ends", look, seconds)

    def events(self, arn):
        """The history of an execution: type and details of each event."""
        found, token = [], {}
        while True:
            page = self.sfn.get_execution_history(executionArn=arn, **token)
            for event in page["events"]:
                details = [value for key, value in event.items() if key.endswith("EventDetails")]
                found.append((event["type"], details[0] if details else {}))
            if not page.get("nextToken"):
                return found
            token = {"nextToken": page["nextToken"]}

    def ledger(self, execution=""):
        return self.keys(LEDGER, f"runs/{self.source}/{self.date}/{execution}")

    def record(self, execution, name):
        body = self.s3.get_object(Bucket=LEDGER, Key=f"runs/{self.source}/{self.date}/{execution}/{name}")["Body"].read()
        return json.loads(body)

    def list(self, execution, name):
        """The rows of a list of JSON lines."""
        body = self.s3.get_object(Bucket=LEDGER, Key=f"runs/{self.source}/{self.date}/{execution}/{name}")["Body"].read()
        return [json.loads(line) for line in body.splitlines()]

    def recorded(self, execution, name, seconds=900):
        key = f"runs/{self.source}/{self.date}/{execution}/{name}"
        until(f"the record {name} of {execution}", lambda: key in self.ledger(execution), seconds)

    def jobs(self):
        """The copy jobs of this source, oldest first."""
        page = self.control.list_jobs(AccountId=BACKUP, MaxResults=1000)
        assert not page.get("NextToken"), "there are more jobs than one page holds"
        named = re.compile(rf"(?<![\w-]){re.escape(self.source)}(?![\w-])")
        return [job for job in page["Jobs"] if named.search(job["Description"])][::-1]

    def keys(self, bucket, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def messages_in_dead_letters(self):
        count = 0
        for url in self.dead_letters:
            answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            count += int(answer["Attributes"]["ApproximateNumberOfMessages"])
        return count

    def difference(self):
        """The first way in which the snapshot is not the source; nothing when it is: keys, bytes, metadata, tags."""
        keys = sorted(self.keys(self.snapshot))
        if keys != sorted(self.objects):
            return f"the keys differ: {sorted(set(keys) ^ set(self.objects))[:5]}"
        for key, body in self.objects.items():
            got = self.s3.get_object(Bucket=self.snapshot, Key=key)
            tags = self.s3.get_object_tagging(Bucket=self.snapshot, Key=key)["TagSet"]
            seen = (got["Body"].read(), got["Metadata"], got["ContentType"], {tag["Key"]: tag["Value"] for tag in tags})
            wanted = (body, {"origin": f"of {len(body)} bytes"}, "application/x-levee", {"kind": "a b", "layer": "bronze"})
            if seen != wanted:
                return f"{key!r} is {seen} and not {wanted}"
        return None

    def exists(self, bucket):
        try:
            self.s3.head_bucket(Bucket=bucket)
        except ClientError:
            return False
        return True
