"""What several tests need: virtual time, scripted listeners, real server processes."""
