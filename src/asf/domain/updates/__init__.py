"""UI updates: delivers each to the subscribed connections, in order, and replays what they missed."""
