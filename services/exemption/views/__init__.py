"""Read models: `project_...` beside `find_...`, one module for each noun an official would say."""

from services.exemption.views.applications import APPLICATIONS
from services.exemption.views.batches import BATCHES
from services.exemption.views.cycles import CYCLES
from services.exemption.views.organisations import ORGANISATIONS
from services.exemption.views.people import PEOPLE
from services.exemption.views.uploads import UPLOADS

VIEWS = (APPLICATIONS, BATCHES, CYCLES, ORGANISATIONS, PEOPLE, UPLOADS)
