"""Secrets of the tests' servers, which production accepts."""

SECRET_KEY = "Zq7v-Rk2mX9dLw4sT1nYb6hJc8pFg3uA0eVoKi5x"  # noqa: S105
API_TOKEN = "9fGt-w3KxQ7bZm1Yc5RjV8nHs2Ld4pUe6aTo0iXy"  # noqa: S105
