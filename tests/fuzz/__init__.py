"""Nonsense from clients, made at random: the server must take no harm, and nobody else notice."""
