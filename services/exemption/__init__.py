"""免考 exemption: cycles, applications with photographs, multi-stage review, hand-off to the authority.

Streams: application (one candidate's application), viewing (who looked at it), upload (one photograph), cycle (批次),
batch (a hand-off), organisation and person (what identity told us), parking (what of it was passed over). Listens to
identity.
"""
