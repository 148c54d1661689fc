#!/usr/bin/env python3
"""Read samples of inventories and completion reports with the two `cat` commands and compare with their decoded rows.

    play_samples.py LEVEE FOLDER
"""
import datetime
import json
import subprocess
import sys
from pathlib import Path


def cat(levee, case, expected):
    kind = expected["kind"]
    command = [levee, kind, "cat", str(case / "manifest.json")]
    if kind == "report":
        command += ["--key-codec", expected["key_codec"]] if expected.get("key_codec") else []
        command += ["--tasks", str(expected["total_tasks"])] if expected.get("total_tasks") is not None else []
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def milliseconds(text):
    return text and round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def inventory_row(row, has_version):
    version = (row.get("version_id") or "null") if has_version else None
    return {**{name: row.get(name) for name in ("bucket", "key", "is_latest", "is_delete_marker", "size", "etag", "storage_class")},
            "version_id": version, "last_modified_ms": milliseconds(row.get("last_modified"))}


def compare_inventory(expected, rows):
    wanted = expected["decoded"].get("rows", [])
    if len(wanted) != len(rows):
        return f"{len(rows)} rows in place of {len(wanted)}"
    for want, got in zip(wanted, rows):
        got = inventory_row(got, "version_id" in want)
        for name, value in got.items():
            # A value that could not be read is null on both sides; a raw form of it is ours.
            if want.get(name) != value:
                return f"{name} of {want['key']!r} is {value!r} in place of {want.get(name)!r}"
    return None


def compare_report(expected, rows):
    wanted = expected["decoded"].get("rows", [])
    if len(wanted) != len(rows):
        return f"{len(rows)} rows in place of {len(wanted)}"
    key = "key_if_percent" if expected.get("key_codec") == "percent" else "key_if_form"
    names = {"bucket": "bucket", "key": key, "version_id": "version", "status": "status", "http_status": "http",
             "error_code": "code", "message": "message"}
    for want, got in zip(wanted, rows):
        for ours, theirs in names.items():
            if ours == "message" and want.get("malformed"):
                continue
            if (got.get(ours) or None) != (want.get(theirs) or None):
                return f"{ours} of {want['key_raw']!r} is {got.get(ours)!r} in place of {want.get(theirs)!r}"
    return None


def main(levee, folder):
    failed = played = 0
    for case in sorted((folder / "cases").iterdir()):
        expected = json.loads((case / "expect.json").read_text())
        if expected["kind"] not in ("inventory", "report"):
            continue
        played += 1
        code, rows, problems = cat(levee, case, expected)
        errors = expected["decoded"].get("errors", [])
        compare = compare_inventory if expected["kind"] == "inventory" else compare_report
        difference = compare(expected, rows)
        if not difference and code != (1 if errors else 0):
            difference = f"exit code {code}, with the errors {errors}: {problems.strip()[:300]}"
        if not difference and bool(errors) != bool(problems.strip()):
            difference = f"problems {problems.strip()[:300]!r} in place of {errors}"
        if difference:
            failed += 1
            print(f"FAIL {case.name}: {difference}")
    print(f"samples: {played - failed} of {played} as expected")
    return 1 if failed or not played else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
