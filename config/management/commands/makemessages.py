from django.core.management.commands import makemessages


class Command(makemessages.Command):
    """Also collects what engines mark for translation: they know no Django, and mark with a function of their own."""

    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=mark"]
