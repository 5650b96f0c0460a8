"""Scripts that Claude Code runs by themselves, with whatever Python there is: they import nothing of this package."""
