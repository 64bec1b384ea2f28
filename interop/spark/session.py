"""Spark with the jars of Iceberg, in this process."""

import os
from pathlib import Path

from pyspark.sql import SparkSession


def builder() -> SparkSession.Builder:
    jars = ",".join(str(jar) for jar in Path(os.environ["SPARK_JARS_FOLDER"]).glob("*.jar"))
    return (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", jars)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
    )
