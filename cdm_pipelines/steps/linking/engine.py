"""Which engine links.

Belongs here: from what was asked for to an engine. Does not belong here: any engine (linkage.engines).
"""

from cdm_pipelines.linkage import Engine, LinkageError, LocalEngine
from cdm_pipelines.settings import Settings


def engine_of(settings: Settings) -> Engine:
    """The engine that the settings name.

    Raises:
        LinkageError: It is Spark, and nothing says where.
    """
    if settings.link_engine == "local":
        return LocalEngine(settings.threads)
    return spark_engine(settings)


def spark_engine(settings: Settings, url: str | None = None, exchange: str | None = None) -> Engine:
    """The engine of a cluster.

    Args:
        settings: Where it is if nothing else is said.
        url: Its Spark Connect server, or a master.
        exchange: Folder through which records go there.

    Raises:
        LinkageError: Nothing says where it is.
    """
    if url is None and settings.spark_remote is not None:
        url = settings.spark_remote.get_secret_value()
    if not url:
        raise LinkageError(
            "engine spark: nothing says where; give --remote sc://host:15002, or set CDM_SPARK_REMOTE"
        )
    from cdm_pipelines.linkage.engines.spark import SparkEngine  # noqa: PLC0415 - few ask for it

    return SparkEngine(url, exchange or settings.spark_exchange, threads=settings.threads)
