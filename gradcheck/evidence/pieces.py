"""Other names of what `base` and `sizes` hold, for callers that do not use those yet."""

from .base import Course as Course
from .base import Part as Part
from .base import Piece as Piece
from .base import Plan as Plan
from .base import Shown as Shown
from .base import course as course
from .base import gather as gather
from .base import made as made
from .base import whole as whole
from .sizes import LARGEST as LARGEST
from .sizes import grown as grown
