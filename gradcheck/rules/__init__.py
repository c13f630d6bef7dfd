"""Rules: whatever a user hands over, adapted, loaded, called and watched."""
