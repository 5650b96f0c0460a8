"""Searching the web, for models that cannot: the services that can be asked, and what of their results is passed on."""
