# Airflow without the providers that are not needed, and on it just what requirements.lock names.
FROM apache/airflow:slim-3.3.2-python3.11

# The lock is complete: nothing beside it is resolved or upgraded.
COPY --chown=airflow:0 requirements.lock /opt/collector/
RUN pip install --no-cache-dir --no-deps -r /opt/collector/requirements.lock

COPY --chown=airflow:0 pyproject.toml requirements.txt requirements-dev.txt README.md LICENSE /opt/collector/
COPY --chown=airflow:0 include/sentinelone_collector /opt/collector/include/sentinelone_collector
RUN pip install --no-cache-dir --no-deps /opt/collector && s1c --help > /dev/null

COPY --chown=airflow:0 docker/init.py /opt/collector/docker/init.py
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 plugins /opt/airflow/plugins

# Named volumes take over the owner of the folder that they are mounted on.
RUN mkdir -p /opt/airflow/auth /opt/airflow/delivered /opt/airflow/include/instances.d /opt/airflow/logs \
    && chmod -R g+rwX /opt/airflow/auth /opt/airflow/delivered /opt/airflow/include /opt/airflow/logs
