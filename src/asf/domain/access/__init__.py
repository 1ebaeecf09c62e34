"""Who may listen or subscribe, and until when."""
