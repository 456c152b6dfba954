"""Networks: one module or small folder each, behind one contract (collector.base)."""
