"""How fast the proxy is, beside a floor and its peers: `python3 scripts/bench`. Nothing of it is shipped."""
