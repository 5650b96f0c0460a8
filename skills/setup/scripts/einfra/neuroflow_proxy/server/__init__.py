"""The local side: routes, guard, and what joins a request to its answer."""
