"""The pages; each module gives a `router` and, for the navigation, a `NAV`. Pages change nothing: they only read."""
