"""The warehouse that the guide protects: two buckets that are not Terraform's, with objects whose keys are hard to get right."""
import json

from nights import objects

# What the owner of the warehouse has said of the bucket before anybody thought of backups; it must still hold afterwards.
OWNERS_STATEMENT = {"Sid": "AnalystsRead", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:role/analysts"},
                    "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake-events/*"}


class Warehouse:
    def __init__(self, s3):
        self._s3 = s3
        self.objects = {"lake-events": objects(60), "lake-orders": objects(20)}
        for bucket, contents in self.objects.items():
            s3.create_bucket(Bucket=bucket)
            for key, body in contents.items():
                s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"origin": f"of {len(body)} bytes"}, Tagging="layer=bronze")
        policy = {"Version": "2012-10-17", "Statement": [OWNERS_STATEMENT]}
        s3.put_bucket_policy(Bucket="lake-events", Policy=json.dumps(policy))

    def difference(self, bucket, snapshot):
        """The first way in which a snapshot is not its source; nothing when it is: keys, bytes, metadata, tags."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=snapshot)
        found = {one["Key"] for page in pages for one in page.get("Contents", [])}
        wanted = self.objects[bucket]
        if found != set(wanted):
            return f"the keys differ: {sorted(found ^ set(wanted))[:5]}"
        for key, body in wanted.items():
            got = self._s3.get_object(Bucket=snapshot, Key=key)
            tags = self._s3.get_object_tagging(Bucket=snapshot, Key=key)["TagSet"]
            if (got["Body"].read(), got["Metadata"], tags) != (body, {"origin": f"of {len(body)} bytes"}, [{"Key": "layer", "Value": "bronze"}]):
                return f"{key!r} is not what the source has"
        return None

    def owners_statement_holds(self):
        policy = json.loads(self._s3.get_bucket_policy(Bucket="lake-events")["Policy"])
        return OWNERS_STATEMENT in policy["Statement"]
