"""The demo: an invented brand's two weeks on a network on loopback, through the same stages as the daemon."""
