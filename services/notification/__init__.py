"""通知 notification: tells people what happened, by SMS (with receipts) and by an inbox that always holds a copy.

Owns the streams `contact-<person>`, `message-<id>` and `parking-...`. Listens to identity (accounts, numbers, codes)
and exemption (submitted, returned, passed, granted). Never holds up a case: a failed SMS is a fact here and nowhere
else.
"""
