"""Rules: a user's code loaded, adapted to one interface, called and watched."""
