"""The job file: what a run is told, as frozen settings."""

from pipeline.job.load import load_job
from pipeline.job.sections import Job

__all__ = ["Job", "load_job"]
