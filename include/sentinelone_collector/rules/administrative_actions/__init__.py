"""Rules of the family administrative_actions."""
