"""Training of the embedded sentiment and emotion model; README.md has the commands."""
