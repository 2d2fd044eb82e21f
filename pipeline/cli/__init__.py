"""The command line: one file a command, the only place that prints, and where errors become exit codes."""
