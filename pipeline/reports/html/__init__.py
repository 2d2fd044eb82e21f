"""The report that people read: static pages about the runs, each document and the evaluation of an output folder."""
