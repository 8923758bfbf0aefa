import logging

from celery import shared_task

from llms import endpoints, probing
from llms.models import Probe
from llms.probing import ProbeFailed

logger = logging.getLogger(__name__)


@shared_task
def ask_resting_endpoints() -> None:
    """Beat, or the embedded ticker, calls this; it costs nothing while all are well."""
    endpoints.ask_those_that_rest()


@shared_task
def probe_model(*, probe_id: int) -> None:
    """May run twice: the second finds that the probe has ended."""
    probe = Probe.objects.select_related("endpoint").filter(pk=probe_id, ended_at=None).first()
    if probe is None:
        return
    try:
        probing.carry_out(probe)
    except ProbeFailed:  # its row says why
        logger.warning("the probe of endpoint %s was given up", probe.endpoint)
