"""Which incidents each sensitivity would have raised, using at each moment only what was known then."""

from resonance.replay.run import SENSITIVITIES, Raised, Replayed, replay

__all__ = ["SENSITIVITIES", "Raised", "Replayed", "replay"]
