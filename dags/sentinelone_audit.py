"""The audit DAG: collects windows that have no receipt and no active run."""

from sentinelone_collector.airflow.audit import build_audit_dag

dag = build_audit_dag()
