#!/usr/bin/env bash
# A job array: each task takes its share of the documents, and all of them write to one output folder.
# Submit from the project: mkdir -p logs && sbatch examples/slurm.sh
#
# Keep the array's size from night to night: a document belongs to a share by its id and the number of shares. To do
# again what one task left, submit the whole array; tasks that find nothing new end within seconds.
#SBATCH --job-name=contracts
#SBATCH --array=1-8
#SBATCH --nodes=1
#SBATCH --gpus-per-node=4
#SBATCH --time=04:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=logs/%x-%A_%a.log
set -u

# The time limit is below --time: the run ends by itself, well, before Slurm has to ask (--signal) or to kill.
cd "${PIPELINE_HOME:-/srv/pipeline}" || exit 4
.venv/bin/pipeline run jobs/contracts.toml \
  --shard "${SLURM_ARRAY_TASK_ID}/${SLURM_ARRAY_TASK_COUNT}" --time-limit 3h50m &
run=$!

# Slurm signals this shell (B:), and the shell passes it on. A signal also ends `wait`, so it is waited for once more.
asked=0
trap 'asked=1; kill -TERM "$run" 2>/dev/null' TERM INT
wait "$run"
code=$?
while [ "$asked" = 1 ]; do
  asked=0
  wait "$run"
  code=$?
done

# 75: not everything is done yet. The same task is queued again and goes on, at most 20 times.
if [ "$code" = 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
