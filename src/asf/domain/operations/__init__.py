"""What operators see and do: the nodes, who is connected to them, and how to disconnect a client."""
