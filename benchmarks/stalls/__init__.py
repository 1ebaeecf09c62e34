"""How much one client, backend, disk or Redis delays everybody else."""
