"""What is known of model families and of providers, as data, and what one of them teaches at run time. Pure."""
