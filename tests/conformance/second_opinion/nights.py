"""Whole nights: every stage with its own program, and all stages in one process."""
from deployment import RECORDS, Deployment
from stack import STAGES

ODD = ["plain.txt", "date=2026-03-31/part 0+1.parquet", "ts=12%3A00%2B/ünïcode 西.parquet", "a,b\"c'd.txt", "a//b/../c/.", "😀.bin",
       "_delta_log/00000000000000000000.json", "tab\there", "trailing ", "+plus+", "100%", "q?x=1&y=2#z", "<tag>&amp;", "\\N"]


def objects(count):
    """Objects with odd keys first; sizes from nothing to a few kilobytes."""
    keys = [*ODD, *(f"table/year={2000 + number}/part-{number:05}-é {number}.parquet" for number in range(count))][:count]
    return {key: (key.encode() * number)[:20_000] for number, key in enumerate(keys)}


def night(checks, stack):
    """Every stage with the program that its container runs."""
    deployment = Deployment(stack, "night", objects(100))
    deployment.inventory()
    for stage in STAGES:
        stack.worker(deployment.prefix, [stage], program=True)
    whole(checks, "night", deployment)


def one_process(checks, stack):
    """All stages in one process: `levee worker --all`."""
    deployment = Deployment(stack, "all", objects(20))
    deployment.inventory()
    stack.worker(deployment.prefix, STAGES)
    whole(checks, "one process", deployment)


def whole(checks, name, deployment):
    """Starts an execution that must be a good night, and checks all that it leaves."""
    arn = deployment.execute("first")
    good(checks, name, deployment, "first", deployment.ended(arn))


def good(checks, name, deployment, execution, end, claim="claim-0001.json", jobs=1):
    """What holds of every good night."""
    checks.that(f"{name}: the execution succeeds", end["status"] == "SUCCEEDED", f"{end.get('error')}: {end.get('cause')}")
    difference = deployment.difference() if deployment.exists(deployment.snapshot) else "there is no snapshot bucket"
    checks.that(f"{name}: every object is copied with bytes, metadata and tags", not difference, difference)
    ledger = deployment.ledger()
    day = f"runs/{deployment.source}/{deployment.date}/"
    wanted = [f"{day}{claim}", *(f"{day}{execution}/{record}" for record in RECORDS)]
    missing = [key for key in wanted if key not in ledger]
    if checks.that(f"{name}: the ledger is complete", not missing, f"without {missing}"):
        manifest, copy, report = (deployment.record(execution, RECORDS[index]) for index in (0, 3, 4))
        counts = (manifest["objects"], copy["tasks"], copy["succeeded"], report["rows"], report["succeeded"], report["failed"])
        count = len(deployment.objects)
        checks.that(f"{name}: the counts agree", counts == (count,) * 5 + (0,), f"{counts} of {count} objects")
    made = deployment.jobs()
    checks.that(f"{name}: {'exactly one job was' if jobs == 1 else f'{jobs} jobs were'} made", len(made) == jobs, f"{made}")
    dead = deployment.messages_in_dead_letters()
    checks.that(f"{name}: no dead letters", dead == 0, f"{dead} messages")
