"""Audio from object stores: Amazon S3 and compatible ones, Google Cloud Storage, Azure Blob Storage.

Objects are read in blocks, each pinned to the ETag that the object had when it was opened, so that bytes of an object
and of its replacement are never mixed. All listeners share the blocks. Only `open` waits for a store.

`stores` builds the clients, `sources` opens objects, `source` is an opened one, and `blocks` caches their blocks. The
requests, in `objects`, `blocks` and `probe`, run in the threads of a `worker`. `failures` maps the library's errors.
"""

from asf.adapters.object_store.sources import ObjectAudioSources
from asf.adapters.object_store.stores import InvalidStoreConfiguration, create_stores

__all__ = ["InvalidStoreConfiguration", "ObjectAudioSources", "create_stores"]
