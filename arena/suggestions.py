"""Prompts for visitors who do not know what to ask. Our own words, by category."""

from typing import TypedDict

from django.utils.translation import gettext as _


class Suggestion(TypedDict):
    category: str
    text: str


def suggestions() -> list[Suggestion]:
    by_category = {
        _("Explain"): [
            _("Explain to a ten-year-old why the sky is dark at night although there are so many stars."),
            _("What is the difference between weather and climate? Use one everyday comparison."),
            _("How does a vaccine teach the body? Answer in five short sentences."),
        ],
        _("Write"): [
            _("Write a friendly e-mail that moves a meeting from Tuesday to Thursday without giving a reason."),
            _("Write the first paragraph of a detective story that takes place in a library."),
            _("Write four rhyming lines about a lighthouse keeper and her cat."),
        ],
        _("Reason"): [
            _("Anna is twice as old as Ben was when Anna was as old as Ben is now. Anna is 24. How old is Ben?"),
            _("A shop lowers a price by 20 % and then raises it by 20 %. Is it the same as before? Show the steps."),
            _("Name three reasons for and three against a four-day working week, then weigh them."),
        ],
        _("Code"): [
            _("Write a Python function that finds the first character of a text that is not repeated."),
            _("What does this do, and what is wrong with it: for i in range(len(items)): items.remove(items[i])"),
            _("Explain the difference between a process and a thread with a kitchen as the example."),
        ],
        _("Practical"): [
            _("Plan a dinner for four from rice, chickpeas, spinach and lemons. One pot only."),
            _("Give me a checklist for moving flat, sorted by weeks before the day."),
            _("I have one free afternoon in Istanbul. Suggest a walk with three stops."),
        ],
    }
    return [{"category": category, "text": text} for category, texts in by_category.items() for text in texts]
