"""A week of the daemon's life in minutes: real processes on a fast clock, a network that fails, and an audit."""
