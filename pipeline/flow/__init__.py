"""The readable story of a run: the only place that knows the order of the stages."""
