"""The front door: command line, schedule, the order of the pipeline, demo."""

__version__ = "0.1.0"
