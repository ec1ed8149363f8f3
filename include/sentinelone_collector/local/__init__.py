"""The two-command start: PostgreSQL, Airflow and simulated consoles on this machine, under one supervisor.

`make up` and `make down` are thin callers of `python -m sentinelone_collector.local up|down|status`.
"""
