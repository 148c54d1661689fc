"""The steps of a guide: its fenced blocks of shell commands, played as somebody would who types them in one terminal."""
import os
import pathlib
import re
import subprocess

BLOCK = re.compile(r"^<!-- step: (?P<name>[a-z-]+) -->\n\n?```sh\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
ANY_SH = re.compile(r"^```sh$", re.MULTILINE)
# Lines of a step's output that are shown when it went well; a plan of Terraform has thousands.
SHOWN = 20
# What a terminal keeps from one command to the next: the folder and the variables.
RESUME = '[ ! -e "$LEVEE_STEPS/folder" ] || { . "$LEVEE_STEPS/variables"; cd "$(cat "$LEVEE_STEPS/folder")"; }\nset -eo pipefail\n'
KEEP = '\npwd >"$LEVEE_STEPS/folder"\nexport -p >"$LEVEE_STEPS/variables"\n'


class StepFailed(Exception):
    """A step did not do what the guide says."""


def read(guide):
    """The steps of a guide by name, in its order. A block of shell commands that is no step is an error: nobody tries it."""
    text = pathlib.Path(guide).read_text()
    steps = {match["name"]: match["text"] for match in BLOCK.finditer(text)}
    blocks = len(ANY_SH.findall(text))
    if not steps or len(steps) != blocks:
        raise StepFailed(f"{guide} has {blocks} blocks of shell commands, and {len(steps)} of them are steps with a name of their own")
    return steps


class Terminal:
    """A terminal in `folder` with this environment and nothing else."""

    def __init__(self, folder, environment, kept):
        kept = pathlib.Path(kept)
        kept.mkdir()
        self._folder, self._environment = folder, {**environment, "LEVEE_STEPS": str(kept)}

    def play(self, name, commands, expect=(0,)):
        """Plays the commands of a step; what they print. `expect` are the exit codes that are right."""
        print(f"\n-- {name}\n{commands.rstrip()}", flush=True)
        done = subprocess.run(["bash", "-c", RESUME + commands + KEEP], cwd=self._folder, env=self._environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines = done.stdout.splitlines()
        right = done.returncode in expect
        if right and len(lines) > SHOWN:
            lines = [f"… {len(lines) - SHOWN} lines before", *lines[-SHOWN:]]
        print("".join(f"   | {line}\n" for line in lines), end="", flush=True)
        if not right:
            raise StepFailed(f"the step {name} ended with exit code {done.returncode}, not {' or '.join(map(str, expect))}")
        return done.stdout


def environment(**more):
    """An environment in which nothing of this machine's AWS set-up helps."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR", "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "LANG") if name in os.environ} | more
