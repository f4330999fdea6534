"""Where a run happens: the connection to Ray, resources, seeds, and what is known of the machine.

It takes an address or nothing and hands on a connected cluster, the facts of code and environment
that the manifest records, and the seeds that all later stages draw from. Import the modules one by
one: only `runtime.cluster` costs the second that importing Ray takes.
"""

__all__: list[str] = []
