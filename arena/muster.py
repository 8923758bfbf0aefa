"""Who of those that may be drawn is ready, and what voters hear while the others are being loaded."""

from typing import NamedTuple

from django.contrib.auth.models import AnonymousUser, User
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from arena import lineup
from llms.models import LanguageModel
from llms.pool import Readiness, pool

A_PAIR = 2


class Muster(NamedTuple):
    ready: list[LanguageModel]
    n_loading: int
    """Those that will be ready in a while. What failed to load is in neither."""

    @property
    def n_present(self) -> int:
        return len(self.ready) + self.n_loading

    @property
    def words(self) -> str:
        """Empty when there is nothing to wait for."""
        values = {"ready": len(self.ready), "all": self.n_present}
        if not self.n_loading:
            return ""
        if len(self.ready) < A_PAIR:
            words = _(
                "Models are being loaded: %(ready)d of %(all)d ready. Write your prompt already; you can start as soon "
                "as two are."
            )
            return words % values
        return (
            ngettext(
                "%(ready)d of %(all)d models are ready, so you can start. The other one is being loaded.",
                "%(ready)d of %(all)d models are ready, so you can start. The others are being loaded.",
                self.n_loading,
            )
            % values
        )


def muster(user: User | AnonymousUser, registered: lineup.Lineup | None = None) -> Muster:
    """Sees to it that the missing ones are loaded."""
    contenders = (registered or lineup.current()).contenders_for(user)
    ready = pool.drawable(contenders)
    are_ready = {llm.pk for llm in ready}
    missing = [llm for llm in contenders if llm.pk not in are_ready]
    return Muster(ready, sum(pool.readiness(llm) is Readiness.WARMING for llm in missing))
