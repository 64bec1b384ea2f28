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


def rest_catalog(name: str, uri: str, **properties: str) -> dict[str, str]:
    """Settings of a catalog that is asked anew each time."""
    prefix = f"spark.sql.catalog.{name}"
    return {
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "rest",
        f"{prefix}.uri": uri,
        f"{prefix}.cache-enabled": "false",
        **{f"{prefix}.{key}": value for key, value in properties.items()},
    }


def start(settings: dict[str, str]) -> SparkSession:
    configured = builder()
    for name, value in settings.items():
        configured = configured.config(name, value)
    session = configured.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
