"""Rules of the family user_login_ad."""
