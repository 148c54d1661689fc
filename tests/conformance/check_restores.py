#!/usr/bin/env python3
"""Brings real tables back from a backup on the twin by the program `bring_back`, and asks deltalake what it finds.

    check_restores.py BRING_BACK LEVEE LAKE [DELTA]

LAKE is the archive of the sample warehouse, DELTA a folder with tables.tar.gz, torn/*.json and apply.py (its README says what they
are). Every table with a whole version is restored at its newest one and at an older one: deltalake must open both at that version, with
the files, sizes, schema, properties and rows of the original at it, and every object must have the original's bytes. What deltalake
does not open must be whole for `levee verify`. A table of the sample warehouse is rolled back while another writer commits at some
moment: deltalake must open every state that a reader could have met, and no commit may be lost.
"""
import json
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
from pathlib import Path

from deltalake import DeltaTable

import check_rollbacks
from check_rollbacks import differences, state_or_refusal
from check_tables import verify

# Stricter than the worked-out answers: a feature that readers must know and that is not known here may name files that are not looked for.
REFUSED = {"tables/simple_table_features/table": "blahabl"}
findings = []


def finding(table, text):
    findings.append(f"{table}: {text}")
    print(f"FINDING {table}: {text}")


def bring_back(program, what, warehouse, out):
    ran = subprocess.run([program, what, str(warehouse), str(out)], capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"bring_back {what} {warehouse} ended with {ran.returncode}: {ran.stderr}")
    return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]


def objects(root):
    return {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}


def check_bytes(name, original, restored):
    """Whether everything but the new hint is there with the same bytes, and nothing of a later version."""
    ours, theirs = objects(original), objects(restored)
    for key, path in theirs.items():
        if key == "_delta_log/_last_checkpoint":
            continue
        if key not in ours or path.read_bytes() != ours[key].read_bytes():
            finding(name, f"{key} is not what it was")


def check_version(levee, name, original, restored, version):
    """How it was checked: by rows, by files, or by levee alone."""
    check_bytes(name, original, restored)
    said = verify(levee, restored)[""]
    if said["newest_whole_version"] != version or said["latest_version"] != version or not (said["opens_in_place"]["yes"] or said["verdict"] == "catalog_managed"):
        finding(name, f"levee verify says {said['verdict']} at {said['newest_whole_version']} of {said['latest_version']}")
    before, refusal = state_or_refusal(original, version)
    after, refusal_after = state_or_refusal(restored, version)
    if refusal or (refusal_after and refusal_after == refusal):
        return f"levee ({(refusal or '')[:80]})"
    if refusal_after:
        finding(name, f"deltalake opens the original at {version} and not the copy: {refusal_after}")
        return "levee"
    # Opened without a version, as a reader does.
    if DeltaTable(str(restored)).version() != version:
        finding(name, f"opens at {DeltaTable(str(restored)).version()}")
    changed = differences(before, after)
    if changed:
        finding(name, f"other {changed} at version {version}")
    return "rows" if "rows" in before and "rows" in after else "files"


def check_tables(program, levee, warehouse, expected):
    """Restores every table of a folder; `expected` has the paths of those that must be."""
    with tempfile.TemporaryDirectory() as out:
        out, how, refused = Path(out), {}, {}
        said = bring_back(program, "tables", warehouse, out)
        for table in said:
            path = table["path"]
            if table["newest"] is None:
                refused.setdefault((table["refused"] or "no version is whole").replace(json.dumps(path), "a table")[:110], []).append(path)
                continue
            for which in ("newest", "older"):
                if table[which] is not None:
                    name = f"{path} {which} ({table[which]})"
                    checked = check_version(levee, name, warehouse / path, out / which / path, table[which])
                    how.setdefault(checked, []).append(name)
        restored = {table["path"] for table in said if table["newest"] is not None}
        for path in sorted(expected - restored - set(REFUSED)):
            finding(path, "has a whole version and was not restored")
        for table in said:
            feature = REFUSED.get(table["path"])
            if feature and (table["newest"] is not None or feature not in (table["refused"] or "")):
                finding(table["path"], f"was not refused for its reader feature {feature}: {table['refused']}")
    for checked, names in sorted(how.items()):
        print(f"restored and compared by {checked}: {len(names)}")
    for reason, paths in sorted(refused.items()):
        print(f"not restored {len(paths)}: {reason}: {', '.join(paths[:4])}")
    return sum(map(len, how.values()))


def check_delta(program, levee, delta, folder):
    with tarfile.open(delta / "tables.tar.gz") as packed:
        packed.extractall(folder, filter="data")
    expected = set()
    answers = {f"tables/{answer.parent.name}/table": json.loads(answer.read_text()) for answer in (folder / "tables").glob("*/expect.json")}
    for recipe in sorted((delta / "torn").glob("*.json")):
        path = f"torn/{recipe.stem}"
        subprocess.run([sys.executable, delta / "apply.py", recipe, folder / path, folder / "tables"], check=True)
        answers[path] = json.loads(recipe.read_text())["expect"]
    for path, answer in answers.items():
        if answer["newest_whole"] is not None and answer["self_contained"] and not answer.get("unsupported"):
            expected.add(path)
    print(f"tables of the Delta projects: {check_tables(program, levee, folder, expected)} restores")


def check_races(program, lake):
    with tempfile.TemporaryDirectory() as out:
        ended = {}
        for race in bring_back(program, "races", lake, out):
            name, versions = f"race {race['seed']}", []
            for number in range(race["states"]):
                root = Path(out) / str(race["seed"]) / str(number)
                newest = max(int(path.name[:20]) for path in (root / "_delta_log").glob("*.json"))
                try:
                    table = DeltaTable(str(root))
                    paths = table.get_add_actions(flatten=True).column("path").to_pylist()
                    there = [path for path in paths if (root / urllib.parse.unquote(path)).is_file()]
                    if table.version() != newest or len(there) != len(paths):
                        finding(name, f"state {number} opens at {table.version()} of {newest}, {len(there)} of {len(paths)} files are there")
                    versions.append(newest)
                except Exception as refusal:  # deltalake has no base class of its errors
                    finding(name, f"state {number} does not open: {refusal}")
            if versions != sorted(versions):
                finding(name, f"versions went back: {versions}")
            operations = {entry["version"]: entry["operation"] for entry in DeltaTable(str(root)).history()}
            if operations.get(race["committed"]) != "WRITE":
                finding(name, f"the other writer's version {race['committed']} is {operations.get(race['committed'])}")
            clean = race["status"] == "SUCCEEDED" and operations.get(race["from"] + 1) == "RESTORE"
            conflict = race["error"] == "Levee.RestoreConflict" and "RESTORE" not in operations.values()
            if not clean and not conflict:
                finding(name, f"ended as {race['status']} {race['error']} with {operations}")
            ended.setdefault("rolled back" if clean else "conflict", []).append(race["seed"])
        print(f"races: {({what: len(seeds) for what, seeds in sorted(ended.items())})}")
        if len(ended) < 2:
            finding("races", "they all end alike, and prove nothing of the other end")


def main():
    program, levee, archive = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        expected = set(verify(levee, folder))
        print(f"sample warehouse: {check_tables(program, levee, folder, expected)} restores")
        check_races(program, folder)
    if len(sys.argv) > 4:
        with tempfile.TemporaryDirectory() as folder:
            check_delta(program, levee, Path(sys.argv[4]), Path(folder))
    findings.extend(check_rollbacks.findings)
    print(f"{len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
