"""The command line: one file a command, the only place that prints, and where errors become exit codes.

Importing it loads neither torch nor vLLM.
"""

from pipeline.cli.app import main

__all__ = ["main"]
