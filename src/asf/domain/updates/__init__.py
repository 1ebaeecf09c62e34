"""UI updates: which connection gets which update, in order, and what it missed."""
