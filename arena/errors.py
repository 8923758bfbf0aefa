"""What can be wrong with a wish of a voter. Each has a sentence for the person, and loses nothing.

ArenaError
├── NotEnoughModels      fewer than two models may be drawn
│   └── StillLoading     for now: others are being loaded
├── BadPrompt            empty or too long
├── NotYourBattle        only its voter may act in a battle
├── NotNow               the battle is not at the point where that can be done
├── AlreadyVoted         votes are final
├── Busy                 this server streams all it can
└── TooManyAtOnce        this visitor has enough answers running
"""

from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Sentence = str | Promise


class ArenaError(Exception):
    code: ClassVar[str] = "refused"
    user_message: Sentence = _("That did not work.")

    def __init__(self, user_message: Sentence | None = None) -> None:
        super().__init__(user_message or self.user_message)
        self.user_message = user_message or self.user_message


class NotEnoughModels(ArenaError):
    code = "not_enough_models"
    user_message = _("A battle needs two models, and fewer are enabled. An administrator can add one.")


class StillLoading(NotEnoughModels):
    """Its words count those that are ready."""

    code = "still_loading"


class BadPrompt(ArenaError):
    code = "bad_prompt"


class NotYourBattle(ArenaError):
    code = "not_your_battle"
    user_message = _("This battle belongs to somebody else. You can begin your own.")


class NotNow(ArenaError):
    code = "not_now"


class AlreadyVoted(ArenaError):
    code = "already_voted"
    user_message = _("This battle has its vote. Votes are final.")


class Busy(ArenaError):
    code = "busy"
    user_message = _("All models are busy with other battles. Try again in a moment; your prompt is kept.")


class TooManyAtOnce(ArenaError):
    code = "too_many_at_once"
    user_message = _("Several of your battles are being answered already. Wait until one is done; your prompt is kept.")
