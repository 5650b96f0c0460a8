"""What is well and what is not, each with what mends it. Looks only; changes nothing."""
