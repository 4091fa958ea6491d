"""`./zikao schemes`: the books of rules: prove, explain, compare, try, replay and publish them.

`commands.py` is what one types; each of its words has a module here. Services read the same books through
`shared.schemes.catalog`; here all their models meet, so that a book is seen as a whole.
"""

from ops.schemes.commands import app
from ops.schemes.proving import faults

__all__ = ["app", "faults"]
