"""The schedulers' files do what they say: each is run, as far as it can be, with a stub for the pipeline.

The stub notes its arguments and the signals it got. That the arguments are ones which the real command takes is
checked by the real command line's own parser.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from pipeline.cli.app import app
from pipeline.cli.duration import parse_duration

EXAMPLES = Path(__file__).parents[2] / "examples"
HOME = "/srv/pipeline"
STUB = """#!/usr/bin/env bash
cd "$(dirname "$0")/../.."
printf '%s\\n' "$*" >> arguments
trap 'echo TERM >> signals; kill "$waits"; sleep 0.2; exit 75' TERM
echo "the run speaks"
if [ -n "${STUB_WAITS:-}" ]; then sleep 20 >&- 2>&- & waits=$!; echo started > started; wait "$waits"; fi
read -r code rest < codes
echo "${rest:-$code}" > codes
exit "$code"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project whose `pipeline` is the stub: it exits with the codes of the file `codes`, one after another."""
    stub = tmp_path / ".venv" / "bin" / "pipeline"
    stub.parent.mkdir(parents=True)
    stub.write_text(STUB)
    stub.chmod(0o755)
    say_codes(tmp_path, 0)
    return tmp_path


def say_codes(home: Path, *codes: int) -> None:
    (home / "codes").write_text(" ".join(map(str, codes)) + "\n")


def arguments(home: Path) -> list[list[str]]:
    """Of each time the stub was called; all of them are arguments that the real `pipeline run` takes."""
    calls = [shlex.split(line) for line in (home / "arguments").read_text().splitlines()]
    for command, *words in calls:
        assert command == "run"
        run = typer.main.get_command(app).get_command(None, "run")  # type: ignore[attr-defined]
        run.make_context("run", list(words))
    return calls


def wait_for(path: Path) -> None:
    for _ in range(400):
        if path.exists() and path.read_text():
            return
        time.sleep(0.025)
    raise AssertionError(f"{path} did not come")


def cron_line() -> tuple[list[str], str]:
    """The five fields, and the command as cron hands it to the shell."""
    lines = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    assert settings["SHELL"] == "/bin/bash"
    assert "@" in settings["MAILTO"]
    (line,) = [line for line in lines if not re.match(r"\w+=", line)]
    *fields, command = line.split(None, 5)
    assert not re.search(r"(?<!\\)%", command), "cron ends the line at a bare %"
    return fields, command.replace(r"\%", "%")


def test_the_cron_line_runs_at_hours_that_exist() -> None:
    fields, _ = cron_line()
    for field, (least, most) in zip(fields, [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)], strict=True):
        if field != "*":
            for span in field.split(","):
                first, *last = map(int, span.split("-"))
                assert least <= first <= (last or [first])[0] <= most


@pytest.mark.parametrize(("code", "mails"), [(0, False), (75, False), (5, True), (2, True), (70, True)])
def test_cron_mails_only_when_a_person_has_to_look(home: Path, code: int, mails: bool) -> None:
    say_codes(home, code)
    command = cron_line()[1].replace(HOME, str(home))
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert bool(done.stdout) == mails
    assert done.stderr == ""
    assert not mails or done.stdout.startswith(f"contracts: exit code {code}\n")
    assert "the run speaks" in (home / "logs" / "contracts.log").read_text()
    ((*words, run_date, _, _),) = arguments(home)
    assert words == ["run", "jobs/contracts.toml", "--var"]
    assert re.fullmatch(r"run_date=\d{4}-\d\d-\d\d", run_date)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(home: Path) -> None:
    units = []
    for name in ("contracts.service", "contracts.timer"):
        unit = home / name
        unit.write_text((EXAMPLES / "systemd" / name).read_text().replace(HOME, str(home)))
        units.append(str(unit))
    command = ["systemd-analyze", "verify", "--man=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "contracts." not in done.stderr
    (home / "contracts.service").write_text((home / "contracts.service").read_text().replace("KillMode", "KillMood"))
    spoilt = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "KillMood" in spoilt.stderr, "the check can fail"


def test_the_systemd_service_runs_a_command_that_exists(home: Path) -> None:
    lines = (EXAMPLES / "systemd" / "contracts.service").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    assert settings["SuccessExitStatus"] == "75"
    assert settings["KillMode"] == "mixed"
    subprocess.run(shlex.split(settings["ExecStart"].replace(HOME, str(home))), check=True, stdout=subprocess.DEVNULL)
    assert arguments(home) == [["run", "jobs/contracts.toml", "--time-limit", "5h"]]


def slurm(home: Path, **environment: str) -> "subprocess.Popen[str]":
    """The batch script as Slurm starts it, with a stub for scontrol."""
    scontrol = home / "scontrol"
    scontrol.write_text(f"#!/usr/bin/env bash\necho \"$*\" >> '{home}/requeued'\n")
    scontrol.chmod(0o755)
    script = home / "slurm_script"
    shutil.copyfile(EXAMPLES / "slurm.sh", script)
    mine = {
        "SLURM_ARRAY_JOB_ID": "4711",
        "SLURM_ARRAY_TASK_ID": "2",
        "SLURM_ARRAY_TASK_COUNT": "8",
        "PIPELINE_HOME": str(home),
        "PATH": f"{home}:{os.environ['PATH']}",
    }
    return subprocess.Popen(
        ["/bin/bash", str(script)], env=mine | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("code", "restarts", "requeues"), [(0, "0", False), (5, "0", False), (75, "0", True), (75, "20", False)]
)
def test_a_slurm_task_takes_its_shard_and_is_queued_again_on_75(
    home: Path, code: int, restarts: str, requeues: bool
) -> None:
    say_codes(home, code)
    task = slurm(home, SLURM_RESTART_COUNT=restarts)
    _, err = task.communicate(timeout=20)
    assert (task.returncode, err) == (code, "")
    assert arguments(home) == [["run", "jobs/contracts.toml", "--shard", "2/8", "--time-limit", "3h50m"]]
    requeued = home / "requeued"
    assert requeued.exists() == requeues
    assert not requeues or requeued.read_text() == "requeue 4711_2\n"


def test_slurms_signal_reaches_the_pipeline_and_its_end_is_waited_for(home: Path) -> None:
    task = slurm(home, STUB_WAITS="1")
    wait_for(home / "started")
    task.send_signal(signal.SIGTERM)
    _, err = task.communicate(timeout=10)
    assert (task.returncode, err) == (75, "")
    assert (home / "signals").read_text() == "TERM\n"
    assert (home / "requeued").read_text() == "requeue 4711_2\n"


def test_the_slurm_script_ends_by_itself_before_slurm_ends_it() -> None:
    text = (EXAMPLES / "slurm.sh").read_text()
    subprocess.run(["/bin/bash", "-n", str(EXAMPLES / "slurm.sh")], check=True)
    directives = dict(re.findall(r"^#SBATCH --([\w-]+)(?:=(.*))?$", text, re.MULTILINE))
    (limit,) = re.findall(r"--time-limit (\w+)", text)
    signalled_s = int(directives["signal"].removeprefix("B:TERM@"))
    assert parse_duration(limit) + signalled_s < parse_duration(directives["time"])
    assert directives["array"] == "1-8"
    assert "requeue" in directives


AIRFLOW = {
    "airflow/__init__.py": "",
    "airflow/exceptions.py": "class AirflowFailException(Exception):\n    pass\n",
    "airflow/sdk.py": """
DAGS, TASKS = [], {}

def dag(**options):
    def decorate(function):
        def call():
            DAGS.append((function.__name__, options))
            function()
        return call
    return decorate

def task(**options):
    def decorate(function):
        def call():
            TASKS[function.__name__] = (function, options)
        return call
    return decorate
""",
}


@pytest.fixture
def airflow(home: Path) -> Iterator[Path]:
    """A stand-in for Airflow's decorators that keeps what they decorate; the DAG beside it."""
    for name, text in AIRFLOW.items():
        path = home / "dags" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    dag = (EXAMPLES / "airflow_dag.py").read_text().replace(HOME, str(home))
    (home / "dags" / "airflow_dag.py").write_text(dag)
    yield home / "dags"


def in_airflow(dags: Path, code: str) -> "subprocess.Popen[str]":
    start = "import airflow_dag\nfrom airflow.sdk import DAGS, TASKS\nfunction, options = TASKS['run']\n"
    return subprocess.Popen(
        [sys.executable, "-c", start + code], cwd=dags, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (0, None),
        (75, "RuntimeError"),
        (3, "RuntimeError"),
        (4, "RuntimeError"),
        (5, "AirflowFailException"),
        (2, "AirflowFailException"),
        (70, "AirflowFailException"),
    ],
)
def test_airflow_tries_again_only_where_that_helps(home: Path, airflow: Path, code: int, raised: str | None) -> None:
    say_codes(home, code)
    done = in_airflow(airflow, "function(ds='2025-01-31')")
    _, err = done.communicate(timeout=20)
    last = err.rstrip().rpartition("\n")[2].partition(":")[0].rpartition(".")[2]
    assert last == (raised or ""), err
    expected = ["--var", "run_date=2025-01-31", "--time-limit", "4h30m"]
    assert arguments(home) == [["run", "jobs/contracts.toml", *expected]]


def test_airflow_has_one_dag_whose_task_ends_by_itself_in_time(home: Path, airflow: Path) -> None:
    code = "print(DAGS[0][0], len(DAGS), len(TASKS), options['retries'], options['execution_timeout'].total_seconds())"
    out, err = in_airflow(airflow, code).communicate(timeout=20)
    name, n_dags, n_tasks, retries, timeout_s = out.split()
    assert (name, n_dags, n_tasks) == ("contracts", "1", "1"), err
    assert int(retries) > 0
    assert parse_duration("4h30m") < float(timeout_s)


def test_airflow_ending_the_task_asks_the_pipeline_and_waits(home: Path, airflow: Path) -> None:
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit('ended'))\nfunction(ds='2025-01-31')"
    stub = home / ".venv" / "bin" / "pipeline"
    stub.write_text(stub.read_text().replace("${STUB_WAITS:-}", "yes"))
    task = in_airflow(airflow, code)
    wait_for(home / "started")
    task.send_signal(signal.SIGTERM)
    _, err = task.communicate(timeout=20)
    assert (task.returncode, err) == (1, "ended\n")
    assert (home / "signals").read_text() == "TERM\n"


def make(home: Path, *settings: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "-f", str(EXAMPLES / "nightly.mk"), "PAUSE_S=0", *settings]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, timeout=20)


@pytest.mark.parametrize(
    ("codes", "n_tries", "says"),
    [((0,), 1, None), ((75, 75, 0), 3, None), ((75, 5), 2, "Error 5"), ((2,), 1, "Error 2"), ((75,), 5, "Error 75")],
)
def test_make_tries_again_while_the_code_is_75(home: Path, codes: list[int], n_tries: int, says: str | None) -> None:
    say_codes(home, *codes)
    done = make(home)
    assert len(arguments(home)) == n_tries
    assert done.returncode == (0 if says is None else 2)
    assert says is None or says in done.stderr


def test_the_readme_of_the_examples_names_every_file_and_they_name_no_other_place() -> None:
    readme = (EXAMPLES / "README.md").read_text()
    files = [
        p for p in EXAMPLES.rglob("*") if p.is_file() and "samples" not in p.parts and "__pycache__" not in p.parts
    ]
    assert len(files) == 7
    for path in files:
        assert path.name == "README.md" or f"`{path.relative_to(EXAMPLES)}`" in readme
        for place in re.findall(r"(?<![\w.}])/(?:srv|home|work|tmp|opt|root|mnt)\b[\w/.-]*", path.read_text()):
            assert place.startswith(HOME)
