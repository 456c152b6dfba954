"""Which incidents each sensitivity would have raised, using at each moment only what was known then."""

from resonance.replay.run import LEAD, SENSITIVITIES, Raised, Replayed, replay

__all__ = ["LEAD", "SENSITIVITIES", "Raised", "Replayed", "replay"]
