"""Rules of the family user_behavior_ad."""
