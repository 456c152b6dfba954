"""What can go wrong when people answer alerts.

AlertError
├── UnknownIncident   no incident of that number
├── UnknownDelivery   no delivery of that number, or nothing to send again
├── NotPossible       the incident's state does not allow it
└── KeyUnusable       the key that signs links cannot be read or made
"""

from __future__ import annotations


class AlertError(Exception):
    """An alert cannot be handled as asked; the message says why and what to do."""

    exit_code = 1


class UnknownIncident(AlertError):
    """No incident of that number."""


class UnknownDelivery(AlertError):
    """No delivery of that number, or nothing of it to send again."""


class NotPossible(AlertError):
    """The incident's state does not allow it."""


class KeyUnusable(AlertError):
    """The key that signs links cannot be read or made."""
