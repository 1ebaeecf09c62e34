"""Faults, injected for real: each test states what must hold, measures it, and notes it in the ledger."""
