"""Describes the machine that something was measured on, without a word that names it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import psutil


def describe_machine(packages: Sequence[str] = (), cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Cores, processor, memory, system, Python, and the versions of those packages that are installed, by name."""
    described = {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": _processor(cpuinfo),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }
    for package in packages:
        try:
            described[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return described


def _processor(cpuinfo: Path) -> str:
    """The model's name; where the system does not tell it (ARM), the architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, names), platform.machine())
