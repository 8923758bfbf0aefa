"""Registering and probing where several web processes share one PostgreSQL: two who ask at once get one of each."""

import http.cookiejar
import re
import threading
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.helpers import played_servers as played
from tests.helpers.model_server import model_server
from tests.services.conftest import wait_until

pytestmark = pytest.mark.slow
SIGN_IN = "/accounts/sign-in/"
N_TRIES = 5
ASKED_ONCE_A_PROBE = "/version"
ADMIN = "from django.contrib.auth.models import User; User.objects.create_superuser('adem', password='a long password')"
REGISTRY = """
from llms.models import Endpoint, LanguageModel
print(Endpoint.objects.count(), sorted(LanguageModel.objects.exclude(endpoint=None).values_list("slug", flat=True)))
"""
PROBES = """
from llms.models import Probe, ProbeResult
print([(probe.n_done, probe.ended_at is not None, probe.failure) for probe in Probe.objects.all()])
print(ProbeResult.objects.filter(verdict="yes").count(), ProbeResult.objects.count())
"""


class Browser:
    """Signed in at one web process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies))

    def sign_in(self) -> "Browser":
        self.get(SIGN_IN)
        self.post(SIGN_IN, username="adem", password="a long password")
        assert "sessionid" in {cookie.name for cookie in self._cookies}
        return self

    def get(self, path: str) -> str:
        with self._opener.open(self._url + path, timeout=60) as page:
            return str(page.read().decode())

    def post(self, path: str, **fields: str) -> str:
        """Returns where it led to."""
        token = {cookie.name: cookie.value for cookie in self._cookies}["csrftoken"]
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        request = urllib.request.Request(self._url + path, body, {"Origin": self._url, "Referer": self._url + path})
        with self._opener.open(request, timeout=120) as page:
            return str(page.url)


@pytest.fixture
def server():
    with model_server() as server:
        server.played = played.vllm()
        yield server


def at_once(*works):
    """All of them, begun at the same moment."""
    together = threading.Barrier(len(works))

    def begin(work):
        together.wait(30)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(begin, works))


def test_two_processes_register_and_probe_as_one(make_site, server):
    site = make_site(n_webs=2, ENDPOINT_NETWORKS="127.0.0.1")
    site.webs[0].run(ADMIN)
    one, two = (Browser(web.url).sign_in() for web in site.webs)
    source = "/models/register/?from=server"

    at_once(*(lambda who=who: who.post(source, address=server.url) for who in (one, two)))
    found = re.search(r"endpoint=(\d+)", one.post(source, address=server.url))
    assert found
    endpoint = found[1]
    for _ in range(N_TRIES):
        led_to = at_once(
            *(lambda who=who: who.post(f"{source}&endpoint={endpoint}", model=played.NAME) for who in (one, two) * 2)
        )
        assert len({urllib.parse.urlsplit(url).path for url in led_to}) == 1
    assert site.webs[1].run(REGISTRY).strip() == "1 ['orion-7b-2']"  # the site has an Orion 7B already

    page = f"/models/endpoints/{endpoint}/"
    at_once(*(lambda who=who: who.post(f"{page}probe/", model=played.NAME) for who in (one, two) * 3))
    wait_until(lambda: "True" in site.webs[0].run(PROBES), 90)
    assert site.webs[0].run(PROBES).splitlines() == ["[(8, True, '')]", "8 8"]
    assert [asked.path for asked in server.played.asked].count(ASKED_ONCE_A_PROBE) == 1
    assert all("vLLM 0.32.0" in who.get(page) for who in (one, two))
