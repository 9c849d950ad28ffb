"""A station: configuration, keys, the one loop with its lines and bearers, and the local API."""
