"""The door to many machines: a `map` that does its work on a Dask cluster. This needs the extra `dask`.

    from minitl.cluster import Cluster
    from minitl.recipes import finetune_photographs
    with Cluster("tcp://10.0.0.1:8786") as cluster:
        result = finetune_photographs("photos", map=cluster.map)

On the command line this is `minitl finetune photos/ --scheduler tcp://10.0.0.1:8786`. Read in this order:

    connection    the cluster, its workers, and which of them are refused
    delivery      jobs go out, results come back in order; lost workers and lost data
    on_worker     what runs in a worker
    file_access   whether workers read photographs themselves, or get their bytes

Nothing is decided here about photographs or networks. `features.batch_by_batch`, `course.study` and `recipes.advice`
make jobs that do not depend on each other, and call any `map` with them.

**Trust.** Dask sends Python objects, and whoever reaches its scheduler can run programs on its workers. So a scheduler
belongs into a network of your own, or behind Dask's TLS.
"""

from .connection import Cluster, map_on

__all__ = ["Cluster", "map_on"]
