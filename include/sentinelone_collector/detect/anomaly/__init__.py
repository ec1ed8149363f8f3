"""Anomalies: what an instance's own past makes unlikely."""
