"""The only room that imports Airflow: DAG factory, timetable, hook, provider information, audit."""
