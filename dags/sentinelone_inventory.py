"""Shows inventory files that can't be used as an import error in the UI, and holds no DAG of its own.

A file apart, so that one bad inventory file hides no other instance.
"""

from sentinelone_collector.airflow.inventory import refuse_bad_files

refuse_bad_files()
