"""What ASF is: values, errors, ports and the services that decide. Imports the standard library only.

Its rooms, each of which imports those below it: `streaming` and `updates`, `streams`, `access`.
"""
