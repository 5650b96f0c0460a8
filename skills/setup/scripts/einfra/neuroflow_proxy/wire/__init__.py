"""JSON, server-sent events and the words of the Messages API; what is a key, and which host is this machine. Pure."""
