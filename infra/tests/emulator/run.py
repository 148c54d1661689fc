#!/usr/bin/env python3
"""docs/operate.md on an emulator, word for word: from two accounts to the first good night, and down again.

    run.py PROGRAMS TOOLS    PROGRAMS holds the levee command, TOOLS the AWS CLI

Terraform makes the complete example on ministack, with the twin in front of it for inventories and batch jobs; the doctor
checks it; the workers run with the settings of the task definitions; a night is played; and everything but the protected
buckets is destroyed. Prints every step and a line per check, and exits 1 when something did not go as the guide says.
"""
import pathlib
import re
import shutil
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).parents[3]
sys.path.insert(0, str(REPOSITORY / "tests/conformance/second_opinion"))

import fleet  # noqa: E402
import steps  # noqa: E402
from checks import Checks  # noqa: E402
from left import left_over  # noqa: E402
from stack import BACKUP, REGION, Stack, until  # noqa: E402
from warehouse import Warehouse  # noqa: E402

GUIDE = REPOSITORY / "docs/operate.md"
DEPLOYMENT = REPOSITORY / "infra/deployments/warehouse"
# AWS has 0 there until the first redrive; ministack has nothing. tests/conformance/second_opinion says when this can go.
REDRIVE_COUNT = ('"RedriveCount.$": "$$.Execution.RedriveCount"', '"RedriveCount": 0')
# The state machines by their files, with the stage that each begins with.
FIRST_STAGE = {"backup": "manifest-ready", "restore": "restore-plan", "drill": "drill-plan"}
# Terraform forgets the scratch bucket of drills, "drills", with the protected ones: it is empty, and somebody's to remove.
KEPT = {f"levee-{what}-{BACKUP}-{REGION}" for what in ("manifests", "reports", "ledger", "probes", "drills")}


def terminal(stack, logs, programs, tools):
    """A terminal whose profiles are the accounts and whose AWS is the emulator."""
    profile = f"aws_access_key_id = {BACKUP}\naws_secret_access_key = any\nregion = {REGION}\ns3 =\n  addressing_style = path\n"
    config = logs / "aws"
    config.write_text("".join(f"[profile {name}]\n{profile}" for name in ("backup", "warehouse")))
    environment = steps.environment(
        AWS_CONFIG_FILE=str(config), AWS_SHARED_CREDENTIALS_FILE="/dev/null", AWS_EC2_METADATA_DISABLED="true", AWS_PAGER="",
        AWS_ENDPOINT_URL=stack.ministack, AWS_ENDPOINT_URL_S3=stack.twin, AWS_ENDPOINT_URL_S3_CONTROL=stack.twin,
        TF_VAR_emulator="true", TF_IN_AUTOMATION="1", TF_CLI_ARGS="-no-color")
    environment["PATH"] = f"{programs}:{tools}:{environment['PATH']}"
    return steps.Terminal(REPOSITORY, environment, logs / "steps")


def lend_a_hand(checks, stack):
    """What the emulator needs and a person would not do: definitions that it can run."""
    machines = stack.client("stepfunctions")
    found = {one["name"]: one["stateMachineArn"] for one in machines.list_state_machines()["stateMachines"]}
    checks.that("there is a state machine for nights, one for restores and one for drills", set(found) == {f"levee-{name}" for name in FIRST_STAGE}, f"{set(found)}")
    for name, stage in FIRST_STAGE.items():
        arn = found[f"levee-{name}"]
        definition = machines.describe_state_machine(stateMachineArn=arn)["definition"]
        source = (REPOSITORY / f"statemachine/{name}.asl.json").read_text()
        urls = set(re.findall(rf'"QueueUrl": "(.*?){stage}"', definition))
        checks.that(f"the state machine {name} is the file in statemachine/", len(urls) == 1 and definition == source.replace("${queue_url_prefix}", *urls),
                    "the definition differs")
        machines.update_state_machine(stateMachineArn=arn, definition=definition.replace(*REDRIVE_COUNT))


def described(stack, prefix):
    """Whether an inventory below the prefix is delivered; its checksum is written last."""
    listed = stack.client("s3").list_objects_v2(Bucket=f"levee-manifests-{BACKUP}-{REGION}", Prefix=prefix)
    return any(one["Key"].endswith("/manifest.checksum") for one in listed.get("Contents", []))


def night(checks, stack, play, warehouse):
    """The steps from the start of the night to its end, and the bucket that it leaves."""
    lend_a_hand(checks, stack)
    workers = fleet.start(stack)
    checks.that("there is a service for each group of workers", len(workers) == 5, f"{len(workers)} services")
    play("start")
    until("the night ends", lambda: "RUNNING" not in play("watch"), 180)
    checks.that("the first night succeeds", '"SUCCEEDED"' in play("watch"), "see above")
    (snapshot,) = re.findall(r"\S*lake-events-\d\d-\S+", play("look"))
    difference = warehouse.difference("lake-events", snapshot)
    checks.that("every object is copied with bytes, metadata and tags", not difference, difference)
    stack.stop(*workers)
    return snapshot


def examined(checks, shell, name, commands, allowed):
    """Plays a step in which the doctor is asked. The checks that it may call problems are `allowed`."""
    printed = shell.play(name, commands, expect=(0, 1))
    problems = set(re.findall(r"PROBLEM +(\S+)", printed))
    checked = re.search(r"(\d+) ok, \d+ problem\(s\), 0 could not be checked", printed)
    checks.that(f"{name}: the doctor checks everything", checked and int(checked[1]) > 100, "see above")
    checks.that(f"{name}: the doctor finds nothing that the guide does not speak of", problems <= allowed, f"{problems - allowed}")


def play(checks, stack, logs, programs, tools):
    stack.start()
    warehouse, guide = Warehouse(stack.client("s3")), steps.read(GUIDE)
    shell, played = terminal(stack, logs, programs, tools), set()

    def step(name):
        played.add(name)
        return shell.play(name, guide[name])

    def doctor(name, allowed=frozenset()):
        played.add(name)
        examined(checks, shell, name, guide[name], allowed)

    for name in ("build", "accounts", "configure", "policy", "variables", "apply", "doctors-profile"):
        step(name)
    checks.that("the owner's statement is still in the source's policy", warehouse.owners_statement_holds(), "it is gone")
    doctor("doctor", {"source/last-delivery"})
    delivered = [f"inventories/{bucket}/" for bucket in warehouse.objects]
    until("the first inventories are there", lambda: all(described(stack, prefix) for prefix in delivered), 120)
    doctor("canary")
    snapshot = night(checks, stack, step, warehouse)
    step("forget")
    step("destroy")
    step("owners-policy")
    left = left_over(stack, KEPT | {snapshot, "lake-events", "lake-orders"})
    checks.that("destroy leaves nothing but the protected buckets", not left, f"{left}")
    checks.that("the owner's policy is as it was", warehouse.owners_statement_holds(), "it is not")
    checks.that("every step of the guide was played", played == set(guide), f"all but {set(guide) - played}")


def main(programs, tools):
    programs, tools = (pathlib.Path(folder).resolve() for folder in (programs, tools))
    logs = pathlib.Path(tempfile.mkdtemp(prefix="levee-operate-"))
    checks, stack = Checks(), Stack(programs, logs)
    shutil.rmtree(DEPLOYMENT, ignore_errors=True)
    try:
        checks.scenario("the guide", lambda: play(checks, stack, logs, programs, tools))
    finally:
        stack.stop()
        shutil.rmtree(DEPLOYMENT, ignore_errors=True)
        if checks.counts["FAIL"] or not checks.counts["PASS"]:
            print(f"the logs of every process are in {logs}", file=sys.stderr)
        else:
            shutil.rmtree(logs)
    print(checks.summary())
    return 1 if checks.counts["FAIL"] or not checks.counts["PASS"] else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
