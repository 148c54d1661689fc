"""Play the recorded executions of Step Functions against the endpoint that the environment names.

    play_recordings.py FOLDER

A case with several executions that a worker answers is played as several cases, each with a queue of its own: the player
lets all of them read one queue, and the worker of an execution that has ended may still be in its last long poll when the
next one begins. It then takes the next execution's message, which its own script does not answer.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile


def cases_of(case):
    """The cases to play for one file: itself, or one for each of its executions."""
    runs = case.get("runs", [])
    if len(runs) < 2 or not any(run.get("workers") for run in runs):
        return [case]
    alone = []
    for number, run in enumerate(runs):
        here = f"runs[{number}]"
        volatile = [path.replace(here, "runs[0]", 1) for path in case.get("volatile", []) if path.startswith(here)]
        alone.append({**case, "name": f"{case['name']}-{number + 1}", "runs": [run], "volatile": volatile})
    return alone


def main(folder):
    played = executions = 0
    with tempfile.TemporaryDirectory() as made:
        for file in sorted((folder / "cases").rglob("*.json")):
            for case in cases_of(json.loads(file.read_text(encoding="utf-8"))):
                played += 1
                executions += len(case.get("runs", [case]))
                (pathlib.Path(made) / f"{played:03}.json").write_text(json.dumps(case), encoding="utf-8")
        if played == 0:
            sys.exit(f"no case below {folder / 'cases'}")
        print(f"{played} cases with {executions} executions")
        endpoint, account = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_ACCESS_KEY_ID"]
        player = [sys.executable, str(folder / "run.py"), "--endpoint", endpoint, "--account", account, made]
        return subprocess.run(player, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
