"""What ASF is: values, errors, ports and the services that decide. Imports the standard library only.

Four packages. Imports go one way: `streaming` and `updates` → `streams` → `access` → the base (`errors`,
`identifiers`, `clock`, `signal`).
"""
