"""A nightly DAG for Airflow 3: one task runs one job, on a worker that has the GPU and the project.

What the exit code means to Airflow: 0 is success. 3 (engine), 4 (output folder) and 75 (not everything is done yet)
are worth another try, which goes on where this one ended. Everything else fails at once, since it would only come
again: 2 (the job is wrong), 5 (committed, but a gate failed: somebody has to look at the rejects) and 70 (a bug).
"""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta

from airflow.exceptions import AirflowFailException
from airflow.sdk import dag, task

PROJECT = "/srv/pipeline"
TRY_AGAIN = {3, 4, 75}


@dag(schedule="15 22 * * *", start_date=datetime(2025, 1, 1), catchup=False, max_active_runs=1, tags=["pipeline"])
def contracts() -> None:
    """Contracts to typed rows, every night."""

    @task(retries=12, retry_delay=timedelta(minutes=10), execution_timeout=timedelta(hours=5))
    def run(ds: str) -> None:
        """Run the job to its commit; the time limit is below the task's, so that it ends well by itself."""
        command = [".venv/bin/pipeline", "run", "jobs/contracts.toml", "--var", f"run_date={ds}"]
        code = wait_for([*command, "--time-limit", "4h30m"])
        if code in TRY_AGAIN:
            raise RuntimeError(f"exit code {code}: another try goes on where this one ended")
        if code != 0:
            raise AirflowFailException(f"exit code {code}: another try would end the same; the log says what to do")

    run()


def wait_for(command: list[str]) -> int:
    """Run a command in the project; returns its exit code.

    Airflow ends a task by raising in it. The pipeline is then asked once to end, and waited for: it commits what is
    whole. Set `[core] killed_task_cleanup_time` to the time that this may take.
    """
    process = subprocess.Popen(command, cwd=PROJECT)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


contracts()
