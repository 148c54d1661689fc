"""The workers, as the task definitions say that Terraform made: the command and the environment of each container."""
from stack import BACKUP, REGION


def task_definitions(stack):
    """The container of each service's task definition, by the service's name."""
    ecs, found = stack.client("ecs"), {}
    for cluster in ecs.list_clusters()["clusterArns"]:
        arns = ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]
        for service in ecs.describe_services(cluster=cluster, services=arns)["services"] if arns else []:
            definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            (container,) = definition["containerDefinitions"]
            found[service["serviceName"]] = container
    return found


def start(stack):
    """Starts a process per service, and gives them back."""
    processes = []
    for name, container in task_definitions(stack).items():
        environment = {one["name"]: one["value"] for one in container["environment"]}
        processes.append(stack.spawn(f"worker-{name}", [stack.programs / "levee", *container["command"]], {
            "AWS_ENDPOINT_URL": stack.ministack, "AWS_ENDPOINT_URL_S3_CONTROL": stack.twin, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": BACKUP, "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", **environment}))
    return processes
