"""The anomaly detectors: one module each, whose name is the `type` that rule files call it by, and its `DETECTOR`."""
