from celery import shared_task

from llms import endpoints


@shared_task
def ask_resting_endpoints() -> None:
    """Beat, or the embedded ticker, calls this; it costs nothing while all are well."""
    endpoints.ask_those_that_rest()
