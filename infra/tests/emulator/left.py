"""What is left of a deployment in the backup account."""


def left_over(stack, kept):
    """Names of everything that is there, but for the buckets in `kept`."""
    s3, sqs, sns, iam = (stack.client(service) for service in ("s3", "sqs", "sns", "iam"))
    events, logs, alarms = stack.client("events"), stack.client("logs"), stack.client("cloudwatch")
    ecs, scheduler, sfn = stack.client("ecs"), stack.client("scheduler"), stack.client("stepfunctions")
    watching = alarms.describe_alarms()
    found = {
        "buckets": [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"] not in kept],
        "kept buckets": sorted(kept - {one["Name"] for one in s3.list_buckets()["Buckets"]}),
        "queues": sqs.list_queues().get("QueueUrls", []),
        "topics": [one["TopicArn"] for one in sns.list_topics()["Topics"]],
        "roles": [one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].startswith("levee-")],
        "buses": [one["Name"] for one in events.list_event_buses()["EventBuses"] if one["Name"] != "default"],
        "rules": [one["Name"] for one in events.list_rules()["Rules"]],
        "log groups": [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"] if "levee" in one["logGroupName"]],
        "alarms": [one["AlarmName"] for one in watching["MetricAlarms"]],
        "dashboards": [one["DashboardName"] for one in alarms.list_dashboards()["DashboardEntries"]],
        "clusters": ecs.list_clusters()["clusterArns"],
        "schedules": [one["Name"] for one in scheduler.list_schedules()["Schedules"]],
        "state machines": [one["name"] for one in sfn.list_state_machines()["stateMachines"]],
    }
    return {what: names for what, names in found.items() if names}
