"""The JSON API: one router an app, one rule for who may call."""

from ninja import NinjaAPI

from accounts.api import router as account
from accounts.api import scope_guard
from accounts.roles import Scope
from evaluation.api import router as evaluation
from leaderboard.api import router as leaderboard
from llms.api import router as models

# The stock documentation page needs inline scripts, which our policy forbids; the schema is at /api/v1/openapi.json.
api = NinjaAPI(title="Hakem", version="1", docs_url=None, auth=scope_guard(Scope.READ))
for router in (account, models, evaluation, leaderboard):
    api.add_router("", router)
