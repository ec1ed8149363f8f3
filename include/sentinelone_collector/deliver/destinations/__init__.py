"""The destinations: one module each, found by its presence.

A module declares `TYPE` (what inventory files call it), `Options` (a pydantic model of the fields beside `type`, with
`extra="forbid"`) and `build(options, surroundings)`, which returns a `Destination`.
"""
