"""The JSON API; each module gives a `router` whose paths begin with `/api/`. All changes are made here."""
