"""One DAG per registered instance. Files that can't be read are reported by sentinelone_inventory.py."""

from airflow.sdk import get_parsing_context

from sentinelone_collector.airflow.factory import build_dag
from sentinelone_collector.airflow.inventory import readable_instances

for instance in readable_instances(only_dag=get_parsing_context().dag_id):
    globals()[instance.dag_id] = build_dag(instance)
